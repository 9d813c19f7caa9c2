//! Child processes that never outlive their test, free ports, and waiting with a deadline.

use std::fs;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::net::TcpListener;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use doorward::Clock;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use tempfile::TempDir;

/// How long anything that should happen soon may take on a busy machine.
pub const DEADLINE_MS: u64 = 20_000;

/// A child process; killed (SIGKILL) and waited for on drop. What it writes is kept in files.
pub struct Process {
    name: String,
    child: Child,
    output_dir: TempDir,
}

impl Process {
    /// Starts `command` with no standard input. Panics where the program is missing.
    pub fn spawn(name: &str, command: &mut Command) -> Self {
        Self::spawn_with(name, command, |stdout, stderr| (stdout.into(), stderr.into()))
    }

    /// The same, with other outputs than the files that are read here.
    pub fn spawn_with(
        name: &str,
        command: &mut Command,
        outputs: impl FnOnce(File, File) -> (Stdio, Stdio),
    ) -> Self {
        let output_dir = tempfile::tempdir().unwrap();
        let stdout = File::create(output_dir.path().join("stdout")).unwrap();
        let stderr = File::create(output_dir.path().join("stderr")).unwrap();
        let (stdout, stderr) = outputs(stdout, stderr);
        // On Debian nginx is in /usr/sbin, which is not on everybody's PATH.
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

    /// What the process wrote to standard output so far.
    pub fn stdout(&self) -> String {
        self.read("stdout")
    }

    /// What the process wrote to standard error so far.
    pub fn stderr(&self) -> String {
        self.read("stderr")
    }

    /// Both outputs under a heading, for the message of a failed test.
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

    /// Stops it (SIGSTOP) and waits until it stands still.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
        waitid(WaitId::Pid(Pid::from_child(&self.child)), WaitIdOptions::STOPPED).unwrap();
    }

    /// A figure of `/proc/PID/status` in KiB, such as `VmRSS`.
    pub fn memory_kib(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Undoes [`Process::freeze`].
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// How it ended, or `None` while it runs.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for the process to end by itself; panics with its log when it does not.
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

    /// Waits until `condition` holds; panics with the log after the deadline, or when the process ends.
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

    /// Kills it (SIGKILL) and waits for its end.
    pub fn kill(&mut self) {
        // Only fails when the process was waited for already.
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

/// Waits until `condition` gives a value; panics after the deadline, saying `what` did not come.
pub fn wait_for<T>(what: &str, condition: impl FnMut() -> Option<T>) -> T {
    wait_within(DEADLINE_MS, what, condition)
}

/// The same with a deadline of its own, for what takes others longer.
pub fn wait_within<T>(deadline_ms: u64, what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let clock = Clock::system();
    let started_ms = clock.boottime_ms();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(clock.boottime_ms() - started_ms < deadline_ms, "{what}: not within {deadline_ms} ms");
        std::thread::sleep(POLL);
    }
}

/// A listener on a port of the loopback address that was free.
///
/// Taken from below the range the system takes outgoing connections' ports from (ip_local_port_range, from 32,768
/// on Linux): a server that is down would otherwise now and then be answered for by a client that was given the
/// server's own port and so connected to itself.
pub fn free_listener() -> TcpListener {
    const FIRST: u16 = 12_000;
    const COUNT: u16 = 20_000;
    static NEXT: OnceLock<AtomicU16> = OnceLock::new();
    // Test processes side by side start at different places.
    let next = NEXT.get_or_init(|| AtomicU16::new(RandomState::new().hash_one(0) as u16));
    (0..COUNT)
        .map(|_| FIRST + next.fetch_add(1, Ordering::Relaxed) % COUNT)
        .find_map(|port| TcpListener::bind(("127.0.0.1", port)).ok())
        .expect("no free port")
}

/// A port that nobody listens on at the moment; somebody may take it before a child process does.
pub fn free_port() -> u16 {
    free_listener().local_addr().unwrap().port()
}
