//! Interleaved pairs: reference, subject, reference, subject … Changes of the machine's speed affect both.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

use doorward::system::Clock;

use crate::Result;
use crate::generator::Load;
use crate::process::Process;
use crate::redis_server::RedisServer;

/// The warm-up before each run, for connections and threads.
const WARM_UP: Duration = Duration::from_millis(200);

/// One side of a comparison: a load, and the processes under it.
pub struct Side<'a> {
    /// The load.
    pub load: Load,
    /// The server whose CPU time is read.
    pub process: &'a Process,
    /// The Redis behind it, if any.
    pub redis: Option<&'a RedisServer>,
}

/// The counts of one run.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// Its duration.
    pub seconds: f64,
    /// Validations answered.
    pub validations: u64,
    /// CPU time of the server.
    pub cpu_ns: u64,
    /// CPU time of Redis.
    pub redis_cpu_ns: u64,
    /// Commands Redis executed, by name.
    pub redis_calls: BTreeMap<String, u64>,
}

impl Run {
    /// CPU microseconds of the server for one validation.
    pub fn cpu_us(&self) -> f64 {
        self.cpu_ns as f64 / 1e3 / self.validations as f64
    }

    /// CPU microseconds of Redis for one validation.
    pub fn redis_cpu_us(&self) -> f64 {
        self.redis_cpu_ns as f64 / 1e3 / self.validations as f64
    }

    /// Validations per second.
    pub fn per_second(&self) -> f64 {
        self.validations as f64 / self.seconds
    }
}

/// The runs of one scenario: the same number of both, in order.
#[derive(Debug, Default)]
pub struct Pairs {
    /// The runs of the reference.
    pub reference: Vec<Run>,
    /// The runs of the subject.
    pub subject: Vec<Run>,
}

impl Pairs {
    /// Measures `count` rounds of runs of `duration` each: the reference, then every subject. Returns the pairs of each
    /// subject with the reference.
    pub fn measure(reference: &Side, subjects: &[Side], count: u32, duration: Duration) -> Result<Vec<Self>> {
        let mut all: Vec<_> = subjects.iter().map(|_| Self::default()).collect();
        for _ in 0..count {
            let reference = reference.run(duration)?;
            for (pairs, subject) in all.iter_mut().zip(subjects) {
                pairs.reference.push(reference.clone());
                pairs.subject.push(subject.run(duration)?);
            }
        }
        Ok(all)
    }

    /// Pairs this subject with another subject of the same rounds as its reference.
    pub fn by(&self, other: &Self) -> Self {
        Self { reference: other.subject.clone(), subject: self.subject.clone() }
    }

    /// Returns the ratio of subject to reference for each pair.
    pub fn ratios(&self, of: fn(&Run) -> f64) -> Vec<f64> {
        self.reference
            .iter()
            .zip(&self.subject)
            .map(|(reference, subject)| of(subject) / of(reference))
            .collect()
    }
}

/// The counters read at both ends of a run.
struct Reading {
    at_ms: u64,
    cpu_ns: u64,
    validations: u64,
    redis_cpu_ns: u64,
    redis_calls: BTreeMap<String, u64>,
}

impl Side<'_> {
    fn run(&self, duration: Duration) -> Result<Run> {
        let applied = self.load.apply();
        let clock = Clock::system();
        let read = || -> Result<Reading> {
            let redis_calls = self.redis.map_or(Ok(BTreeMap::new()), RedisServer::calls)?;
            let redis_cpu_ns = self.redis.map_or(Ok(0), |redis| redis.process.cpu_ns())?;
            let (at_ms, cpu_ns) = (clock.boottime_ms(), self.process.cpu_ns()?);
            Ok(Reading { at_ms, cpu_ns, validations: applied.validations(), redis_cpu_ns, redis_calls })
        };
        sleep(WARM_UP);
        let start = read()?;
        sleep(duration);
        let end = read()?;
        applied.end()?;

        let mut redis_calls = end.redis_calls;
        for (command, calls) in &mut redis_calls {
            *calls -= start.redis_calls.get(command).unwrap_or(&0);
        }
        redis_calls.retain(|_, calls| *calls > 0);
        let run = Run {
            seconds: (end.at_ms - start.at_ms) as f64 / 1e3,
            validations: end.validations - start.validations,
            cpu_ns: end.cpu_ns - start.cpu_ns,
            redis_cpu_ns: end.redis_cpu_ns - start.redis_cpu_ns,
            redis_calls,
        };
        if run.validations == 0 || run.cpu_ns == 0 {
            return Err("a run in which nothing was answered".into());
        }
        Ok(run)
    }
}
