//! Sentinels that give scripted answers, because real ones cannot lie.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::process::wait_for;

/// Listens until the process ends.
pub struct FakeSentinel {
    port: u16,
    state: Arc<Mutex<State>>,
}

struct State {
    id: usize,
    master: (String, u16),
    epoch: u64,
    /// Whether it answers nothing.
    is_silent: bool,
    /// The delay of every answer.
    delay: Duration,
    /// How often it was asked for the master.
    asked: usize,
    subscribers: Vec<TcpStream>,
}

impl FakeSentinel {
    /// Starts a Sentinel that names this port of the loopback address, with epoch 1.
    pub fn start(id: usize, master_port: u16) -> Self {
        let state = State {
            id,
            master: ("127.0.0.1".into(), master_port),
            epoch: 1,
            is_silent: false,
            delay: Duration::ZERO,
            asked: 0,
            subscribers: Vec::new(),
        };
        let (listener, state) = (TcpListener::bind("127.0.0.1:0").unwrap(), Arc::new(Mutex::new(state)));
        let port = listener.local_addr().unwrap().port();
        let accepting = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = accepting.clone();
                thread::spawn(move || serve(stream, &state));
            }
        });
        Self { port, state }
    }

    /// Returns the URL for a node that asks these Sentinels for the master.
    pub fn url(sentinels: &[Self]) -> String {
        let hosts: Vec<_> = sentinels.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port)).collect();
        format!("redis+sentinel://{}/sessions", hosts.join(","))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names another master from now on, without publishing the switch.
    pub fn name(&self, host: &str, port: u16, epoch: u64) {
        let mut state = self.state();
        (state.master, state.epoch) = ((host.into(), port), epoch);
    }

    /// Names another master from now on, and publishes the switch.
    pub fn switch_to(&self, port: u16, epoch: u64) {
        self.name("127.0.0.1", port, epoch);
        let message = resp(&["message", "+switch-master", "sessions 127.0.0.1 1 127.0.0.1 2"]);
        self.state().subscribers.retain_mut(|subscriber| subscriber.write_all(message.as_bytes()).is_ok());
    }

    pub fn set_silent(&self, is_silent: bool) {
        self.state().is_silent = is_silent;
    }

    pub fn set_delay(&self, delay: Duration) {
        self.state().delay = delay;
    }

    /// Waits until a node is subscribed to switches.
    pub fn await_subscriber(&self) {
        wait_for("a subscriber", || (!self.state().subscribers.is_empty()).then_some(()));
    }

    /// Waits until it was asked for the master `times` more times, answered or not.
    pub fn await_asked(&self, times: usize) {
        let before = self.state().asked;
        wait_for("the Sentinel was asked", || (self.state().asked >= before + times).then_some(()));
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>) {
    let mut input = BufReader::new(stream.try_clone().unwrap());
    let mut output = stream;
    while let Some(command) = read_command(&mut input) {
        let words: Vec<_> = command.iter().map(|word| word.to_ascii_uppercase()).collect();
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let (host, port) = (state.master.0.clone(), state.master.1.to_string());
        let answer = match &words[..] {
            ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", _] => {
                state.asked += 1;
                resp(&[&host, &port])
            }
            ["SENTINEL", "MASTER", _] => resp(&[
                "name",
                "sessions",
                "ip",
                &host,
                "port",
                &port,
                "config-epoch",
                &state.epoch.to_string(),
            ]),
            ["SENTINEL", "MYID"] => bulk(&format!("{:040}", state.id)),
            ["SUBSCRIBE", _] => {
                state.subscribers.push(output.try_clone().unwrap());
                format!("*3\r\n{}{}:1\r\n", bulk("subscribe"), bulk(&command[1]))
            }
            ["PING"] => resp(&["pong", ""]),
            _ => "+OK\r\n".into(),
        };
        let (is_silent, delay) = (state.is_silent, state.delay);
        drop(state);
        thread::sleep(delay);
        if !is_silent && output.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

/// An array of strings.
fn resp(texts: &[&str]) -> String {
    let elements: String = texts.iter().map(|text| bulk(text)).collect();
    format!("*{}\r\n{elements}", texts.len())
}

fn read_command(input: &mut impl BufRead) -> Option<Vec<String>> {
    let line = |input: &mut dyn BufRead| {
        let mut line = String::new();
        input.read_line(&mut line).ok().filter(|length| *length > 0)?;
        line.trim_end()[1..].parse::<usize>().ok()
    };
    let count = line(input)?;
    (0..count)
        .map(|_| {
            let mut word = vec![0; line(input)? + 2];
            input.read_exact(&mut word).ok()?;
            Some(String::from_utf8_lossy(&word).trim_end().to_owned())
        })
        .collect()
}
