//! Child processes: started, asked for their CPU time, and gone when dropped.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::Result;

/// A server has this long to say that it is ready.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// A running child process, killed on drop.
pub struct Process(Child);

impl Process {
    /// Starts a command with its standard input and output piped.
    pub fn start(command: &mut Command) -> Result<Self> {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        Ok(Self(child.map_err(|e| format!("cannot start {}: {e}", command.get_program().display()))?))
    }

    /// The pipe to its standard input; once.
    pub fn stdin(&mut self) -> Result<ChildStdin> {
        Ok(self.0.stdin.take().ok_or("the standard input was taken already")?)
    }

    /// Waits for the first line of its standard output that is `wanted`; reads and drops all that follows, so
    /// that the child never waits for us. Once.
    pub fn wait_for_line(&mut self, wanted: fn(&str) -> bool) -> Result<String> {
        let stdout = self.0.stdout.take().ok_or("the standard output was taken already")?;
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(|line| line.ok()) {
                if wanted(&line) {
                    // Fails when the other side has its line or gave up waiting for it.
                    let _ = sender.send(line);
                }
            }
        });
        Ok(receiver.recv_timeout(START_TIMEOUT).map_err(|_| "the server did not say that it is ready")?)
    }

    /// [`cpu_ns`] of this process.
    pub fn cpu_ns(&self) -> Result<u64> {
        cpu_ns(self.0.id())
    }

    /// Bytes of memory it has in RAM (proc(5), `VmRSS`).
    pub fn resident_bytes(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.split_whitespace().next().ok_or("an empty VmRSS")?.parse::<u64>()? * 1024)
    }
}

/// Nanoseconds of CPU the threads of a process have used, user and system (proc(5), `schedstat`: to the nanosecond,
/// where `stat` counts ticks of 10 ms). A thread that has ended no longer counts.
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
        // Both fail only when it is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A directory of our own, removed on drop.
pub struct TemporaryDirectory(pub PathBuf);

impl TemporaryDirectory {
    /// Makes the directory `name` among the system's temporary files.
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
