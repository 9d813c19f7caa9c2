//! The process, under the names that all Prometheus clients use for these values. Linux only: /proc has them (proc(5)).

use std::fmt;
use std::fs;

use prometheus_client::encoding::DescriptorEncoder;
use rustix::process::{Resource, getrlimit};

use super::encode::{gauge, gauges, seconds};

/// Encodes the values of this process.
pub(super) fn encode(_: &(), encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let Some(values) = ProcessValues::read() else { return Ok(()) };
    let help = "CPU time of this process, user and system, in seconds.";
    seconds(encoder, "process_cpu_seconds", help, values.cpu_seconds)?;
    for (name, help, value) in [
        ("process_resident_memory_bytes", "Resident memory of this process.", values.resident_bytes),
        ("process_virtual_memory_bytes", "Virtual memory of this process.", values.virtual_bytes),
        ("process_start_time_seconds", "Start of this process, in seconds since 1970.", values.started),
        ("process_threads", "Threads of this process.", values.threads),
        ("process_open_fds", "Open file descriptors of this process.", values.open_files),
    ] {
        gauge(encoder, name, help, value)?;
    }
    let about = ("process_max_fds", "The most file descriptors that this process may open.");
    let limit = getrlimit(Resource::Nofile).current.map(|limit| ([] as [(&str, &str); 0], limit as f64));
    gauges(encoder, about, limit)
}

struct ProcessValues {
    cpu_seconds: f64,
    resident_bytes: f64,
    virtual_bytes: f64,
    started: f64,
    threads: f64,
    open_files: f64,
}

impl ProcessValues {
    /// Reads them; `None` without /proc.
    fn read() -> Option<Self> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        // The second field is the name, which may have spaces; the third one follows its last parenthesis.
        let fields: Vec<_> = stat.rsplit_once(") ")?.1.split(' ').collect();
        let field = |number: usize| fields.get(number - 3)?.trim().parse::<f64>().ok();
        let ticks_per_second = rustix::param::clock_ticks_per_second() as f64;
        let booted = fs::read_to_string("/proc/stat").ok()?;
        let booted =
            booted.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse::<f64>().ok()?;
        Some(Self {
            cpu_seconds: (field(14)? + field(15)?) / ticks_per_second,
            threads: field(20)?,
            started: booted + field(22)? / ticks_per_second,
            virtual_bytes: field(23)?,
            resident_bytes: field(24)? * rustix::param::page_size() as f64,
            open_files: open_files()?,
        })
    }
}

/// Returns the number of open files. Since Linux 6.2 it is the size of the directory; listing thousands takes a while.
fn open_files() -> Option<f64> {
    const FILES: &str = "/proc/self/fd";
    match fs::metadata(FILES).ok()?.len() {
        // The listing is one of the files that it lists.
        0 => Some(fs::read_dir(FILES).ok()?.count().saturating_sub(1) as f64),
        files => Some(files as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_values_describe_this_process() {
        let values = ProcessValues::read().unwrap();
        let wall = crate::clock::Clock::system().wall_ms() as f64 / 1000.0;
        assert!(values.started > wall - 86_400.0 && values.started < wall + 2.0, "{}", values.started);
        assert!(values.resident_bytes > 1e5 && values.resident_bytes <= values.virtual_bytes);
        assert!(values.threads >= 1.0 && values.open_files >= 3.0 && values.cpu_seconds >= 0.0);
    }
}
