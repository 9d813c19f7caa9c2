//! Interleaved pairs: reference, subject, reference, subject … What drifts on the machine drifts for both.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

use doorward::Clock;

use crate::Result;
use crate::generator::Load;
use crate::process::Process;
use crate::redis_server::RedisServer;

/// Connections are opened and threads woken before a run counts.
const WARM_UP: Duration = Duration::from_millis(200);

/// One of the two things compared: a load, and the processes that bear it.
pub struct Side<'a> {
    /// What is applied.
    pub load: Load,
    /// Whose CPU time is read.
    pub process: &'a Process,
    /// The Redis behind it, if any.
    pub redis: Option<&'a RedisServer>,
}

/// What was counted within one run.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// How long it was.
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

    /// Validations in a second.
    pub fn per_second(&self) -> f64 {
        self.validations as f64 / self.seconds
    }
}

/// The runs of one scenario; equally many of both, in order.
#[derive(Debug, Default)]
pub struct Pairs {
    /// The runs of the reference.
    pub reference: Vec<Run>,
    /// The runs of the subject.
    pub subject: Vec<Run>,
}

impl Pairs {
    /// Measures `count` rounds of runs of `duration` each: the reference, then every subject. Gives the pairs of each
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

    /// The runs of another subject of the same rounds as the reference of this one's.
    pub fn by(&self, other: &Self) -> Self {
        Self { reference: other.subject.clone(), subject: self.subject.clone() }
    }

    /// Subject by reference, pair by pair.
    pub fn ratios(&self, of: fn(&Run) -> f64) -> Vec<f64> {
        self.reference
            .iter()
            .zip(&self.subject)
            .map(|(reference, subject)| of(subject) / of(reference))
            .collect()
    }
}

/// What is read at both ends of a run.
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
