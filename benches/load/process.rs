//! Child processes: their CPU time and memory. Killed on drop.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::Result;

/// The deadline for a server to report that it is ready.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// A running child process, killed on drop.
pub struct Process(Child);

impl Process {
    /// Starts a command with its standard input and output piped.
    pub fn start(command: &mut Command) -> Result<Self> {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        Ok(Self(child.map_err(|e| format!("cannot start {}: {e}", command.get_program().display()))?))
    }

    /// Takes the pipe to its standard input. Panics if called twice.
    pub fn stdin(&mut self) -> Result<ChildStdin> {
        Ok(self.0.stdin.take().ok_or("the standard input was taken already")?)
    }

    /// Waits for the first line of its standard output that is `wanted`. Reads and drops the rest, so that the child
    /// never blocks. Panics if called twice.
    pub fn wait_for_line(&mut self, wanted: fn(&str) -> bool) -> Result<String> {
        let stdout = self.0.stdout.take().ok_or("the standard output was taken already")?;
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(|line| line.ok()) {
                if wanted(&line) {
                    // Fails if the receiver has its line or has given up.
                    let _ = sender.send(line);
                }
            }
        });
        Ok(receiver.recv_timeout(START_TIMEOUT).map_err(|_| "the server did not say that it is ready")?)
    }

    /// Returns [`cpu_ns`] of this process.
    pub fn cpu_ns(&self) -> Result<u64> {
        cpu_ns(self.0.id())
    }

    /// Returns its resident memory in bytes (proc(5), `VmRSS`).
    pub fn resident_bytes(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.split_whitespace().next().ok_or("an empty VmRSS")?.parse::<u64>()? * 1024)
    }
}

/// Returns the CPU time of a process's threads in nanoseconds, user and system. From `schedstat` (proc(5)), because
/// `stat` counts ticks of 10 ms. Threads that have ended do not count.
pub fn cpu_ns(pid: u32) -> Result<u64> {
    let mut total_ns = 0;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let schedstat = std::fs::read_to_string(task?.path().join("schedstat"))?;
        let on_cpu_ns = schedstat.split_whitespace().next().ok_or("an empty schedstat")?;
        total_ns += on_cpu_ns.parse::<u64>()?;
    }
    Ok(total_ns)
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if the process is already gone.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A temporary directory, removed on drop.
pub struct TemporaryDirectory(pub PathBuf);

impl TemporaryDirectory {
    /// Creates the directory `name` in the system's temporary directory.
    pub fn create(name: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).map_err(|e| format!("cannot create {}: {e}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
