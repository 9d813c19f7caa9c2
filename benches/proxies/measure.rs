//! Interleaved pairs: a page without the check, a page with it, and so on. Changes of the machine's speed affect both.

use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use doorward::system::Clock;

use crate::Result;
use crate::common::proxies::proxy::Proxy;
use crate::generator::{Load, Request};
use crate::process::{Process, cpu_ns};

/// The warm-up before each run, for connections and threads.
const WARM_UP: Duration = Duration::from_millis(200);

/// The counts of one run.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    seconds: f64,
    requests: f64,
    proxy_cpu_ns: f64,
    doorward_cpu_ns: f64,
}

impl Run {
    /// Requests answered per second.
    pub fn per_second(&self) -> f64 {
        self.requests / self.seconds
    }

    /// CPU microseconds of the proxy for one request.
    pub fn proxy_cpu_us(&self) -> f64 {
        self.proxy_cpu_ns / 1e3 / self.requests
    }

    /// CPU microseconds of Doorward for one request.
    pub fn doorward_cpu_us(&self) -> f64 {
        self.doorward_cpu_ns / 1e3 / self.requests
    }
}

/// The runs of one proxy: the same number of both, in order.
#[derive(Debug, Default)]
pub struct Pairs {
    /// Pages without a check.
    pub unchecked: Vec<Run>,
    /// Pages that need a token.
    pub checked: Vec<Run>,
}

impl Pairs {
    /// Measures `count` pairs of runs of `duration` each.
    ///
    /// # Errors
    /// If a page gets a status other than 200.
    pub fn measure(
        proxy: &Proxy,
        doorward: &Process,
        tokens: &Arc<[String]>,
        count: u32,
        duration: Duration,
    ) -> Result<Self> {
        let load = |path| -> Result<Load> {
            let request = Request::Get { path, tokens: tokens.clone() };
            Ok(Load { address: proxy.addr().parse()?, request, expected_status: 200, depth: 1, pace: None })
        };
        let (unchecked, checked) = (load("/public/page")?, load("/page")?);
        let mut pairs = Self::default();
        for _ in 0..count {
            pairs.unchecked.push(run(&unchecked, proxy, doorward, duration)?);
            pairs.checked.push(run(&checked, proxy, doorward, duration)?);
        }
        Ok(pairs)
    }

    /// Returns the ratio of requests per second, checked to unchecked, for each pair.
    pub fn ratios(&self) -> Vec<f64> {
        let pairs = self.unchecked.iter().zip(&self.checked);
        pairs.map(|(unchecked, checked)| checked.per_second() / unchecked.per_second()).collect()
    }
}

fn run(load: &Load, proxy: &Proxy, doorward: &Process, duration: Duration) -> Result<Run> {
    let applied = load.apply();
    let clock = Clock::system();
    let read = || -> Result<(u64, u64, u64, u64)> {
        Ok((clock.boottime_ms(), applied.validations(), cpu_ns(proxy.pid())?, doorward.cpu_ns()?))
    };
    sleep(WARM_UP);
    let start = read()?;
    sleep(duration);
    let end = read()?;
    applied.end()?;
    if end.1 == start.1 {
        return Err("a run in which nothing was answered".into());
    }
    Ok(Run {
        seconds: (end.0 - start.0) as f64 / 1e3,
        requests: (end.1 - start.1) as f64,
        proxy_cpu_ns: (end.2 - start.2) as f64,
        doorward_cpu_ns: (end.3 - start.3) as f64,
    })
}
