//! Child processes that never outlive their test, and waiting with a deadline.

use std::fs;
use std::fs::File;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use doorward::system::Clock;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use tempfile::TempDir;

/// The deadline for everything that should happen soon, even on a busy machine. It costs time only if a test fails.
pub const DEADLINE_MS: u64 = 60_000;

/// A child process; killed (SIGKILL) and reaped on drop. Its output goes to files.
pub struct Process {
    name: String,
    child: Child,
    output_dir: TempDir,
}

impl Process {
    /// Starts `command` without standard input. Panics if the program is missing.
    pub fn spawn(name: &str, command: &mut Command) -> Self {
        Self::spawn_with(name, command, |stdout, stderr| (stdout.into(), stderr.into()))
    }

    /// As [`Process::spawn`], with other outputs instead of the files.
    pub fn spawn_with(
        name: &str,
        command: &mut Command,
        outputs: impl FnOnce(File, File) -> (Stdio, Stdio),
    ) -> Self {
        let output_dir = tempfile::tempdir().unwrap();
        let stdout = File::create(output_dir.path().join("stdout")).unwrap();
        let stderr = File::create(output_dir.path().join("stderr")).unwrap();
        let (stdout, stderr) = outputs(stdout, stderr);
        // Debian installs nginx in /usr/sbin, which may not be on the PATH.
        let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
        let child = command
            .env("PATH", path)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name} ({error}): run scripts/setup"));
        Self { name: name.to_owned(), child, output_dir }
    }

    /// Returns the standard output so far.
    pub fn stdout(&self) -> String {
        self.read("stdout")
    }

    /// Returns the standard error so far.
    pub fn stderr(&self) -> String {
        self.read("stderr")
    }

    /// Returns both outputs under headings, for the message of a failed test.
    pub fn log(&self) -> String {
        format!("--- {} stdout\n{}--- {0} stderr\n{}---", self.name, self.stdout(), self.stderr())
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends `signal`, for example `Signal::TERM` or `Signal::STOP`.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Freezes the process (SIGSTOP) and waits until it has stopped.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
        waitid(WaitId::Pid(Pid::from_child(&self.child)), WaitIdOptions::STOPPED).unwrap();
    }

    /// Returns a field of `/proc/PID/status` in KiB, such as `VmRSS`.
    pub fn memory_kib(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Undoes [`Process::freeze`].
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Returns the exit status, or `None` while it runs.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for the process to exit; panics with its log after the deadline.
    pub fn wait(&mut self) -> ExitStatus {
        let clock = Clock::system();
        let started_ms = clock.boottime_ms();
        loop {
            if let Some(status) = self.exit_status() {
                return status;
            }
            let waited_ms = clock.boottime_ms() - started_ms;
            assert!(waited_ms < DEADLINE_MS, "{} does not end\n{}", self.name, self.log());
            std::thread::sleep(POLL);
        }
    }

    /// Waits until `condition` holds; panics with the log after the deadline or when the process exits.
    pub fn wait_until(&mut self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let clock = Clock::system();
        let started_ms = clock.boottime_ms();
        while !condition(self) {
            let ended = self.exit_status();
            let waited_ms = clock.boottime_ms() - started_ms;
            assert!(
                ended.is_none() && waited_ms < DEADLINE_MS,
                "{}: not {what} after {waited_ms} ms (exit status {ended:?})\n{}",
                self.name,
                self.log()
            );
            std::thread::sleep(POLL);
        }
    }

    /// Kills the process (SIGKILL) and waits for its exit.
    pub fn kill(&mut self) {
        // Fails only if the process was reaped already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn read(&self, file: &str) -> String {
        let bytes = fs::read(self.output_dir.path().join(file)).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

const POLL: Duration = Duration::from_millis(5);

/// Waits until `condition` returns a value; panics with `what` after the deadline.
pub fn wait_for<T>(what: &str, condition: impl FnMut() -> Option<T>) -> T {
    wait_within(DEADLINE_MS, what, condition)
}

/// As [`wait_for`], with another deadline for slower conditions.
pub fn wait_within<T>(deadline_ms: u64, what: &str, condition: impl FnMut() -> Option<T>) -> T {
    wait(deadline_ms, || what.to_owned(), condition)
}

/// As [`wait_for`], with what is known after the deadline: a log, for example.
pub fn wait_or<T>(failure: impl Fn() -> String, condition: impl FnMut() -> Option<T>) -> T {
    wait(DEADLINE_MS, failure, condition)
}

fn wait<T>(deadline_ms: u64, failure: impl Fn() -> String, mut condition: impl FnMut() -> Option<T>) -> T {
    let clock = Clock::system();
    let started_ms = clock.boottime_ms();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(clock.boottime_ms() - started_ms < deadline_ms, "not within {deadline_ms} ms: {}", failure());
        std::thread::sleep(POLL);
    }
}
