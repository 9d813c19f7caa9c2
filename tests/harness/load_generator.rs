//! Tests of the load harness, which is a benchmark and has no tests of its own.

#[path = "../../benches/load/client.rs"]
#[allow(dead_code)]
mod client;
#[path = "../../benches/load/generator.rs"]
#[allow(dead_code)]
mod generator;
#[path = "../../benches/load/stats.rs"]
mod stats;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};

use self::client::Connection;
use self::generator::{CONNECTIONS, Load, Pace, Request};
use self::stats::{median, median_interval_95, percentile};
use crate::common::process::wait_for;

/// The harness's own definitions.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn current_thread_runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const LAST_ANSWER: &str = "HTTP/1.1 200 OK\r\nconnection: keep-alive, Close\r\nContent-Length: 2\r\n\r\nok";

/// Starts a server that answers each connection with the given answers and then closes it. It stops after the last
/// connection.
fn serve(connections: impl IntoIterator<Item = Vec<&'static str>> + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for answers in connections {
            let (stream, _) = listener.accept().unwrap();
            std::thread::spawn(move || answer(stream, &answers));
        }
    });
    address
}

fn answer(mut stream: TcpStream, answers: &[&str]) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(|line| line.ok());
    for answer in answers {
        // The client disconnects at the end of a load.
        if !lines.any(|line| line.is_empty()) || stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
    let _ = stream.shutdown(Shutdown::Write);
    // Closing with unread bytes would reset the connection.
    lines.for_each(drop);
}

/// Sends these requests one after the other; returns each answer, and the error of the last one.
fn exchange(address: SocketAddr, requests: &[&str]) -> (Vec<u16>, Option<String>) {
    current_thread_runtime().unwrap().block_on(async {
        let mut connection = Connection::open(address).await.unwrap();
        let mut answers = Vec::new();
        for request in requests {
            match connection.exchange(request.as_bytes()).await {
                Ok(status) => answers.push(status),
                Err(error) => return (answers, Some(error.to_string())),
            }
        }
        (answers, None)
    })
}

const GET: &str = "GET / HTTP/1.1\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\n\r\n";

#[test]
fn a_connection_closed_between_answers_is_replaced() {
    let announced = serve(vec![vec![ANSWER, LAST_ANSWER], vec![ANSWER]]);
    assert_eq!(exchange(announced, &[GET, POST, POST]), (vec![200; 3], None));
    let silent = serve(vec![vec![ANSWER, ANSWER], vec![ANSWER]]);
    assert_eq!(exchange(silent, &[GET; 3]), (vec![200; 3], None));
    let old = serve(vec![vec!["HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"], vec![ANSWER]]);
    assert_eq!(exchange(old, &[GET; 2]), (vec![200; 2], None));
}

#[test]
fn a_connection_closed_anywhere_else_is_an_error() {
    let within = "the server closed the connection within an answer";
    for half in [&ANSWER[..ANSWER.len() - 1], &ANSWER[..20], &LAST_ANSWER[..LAST_ANSWER.len() - 1]] {
        let address = serve(vec![vec![ANSWER, half], vec![ANSWER]]);
        assert_eq!(exchange(address, &[GET; 3]), (vec![200], Some(within.into())), "{half}");
    }
    let (answers, error) = exchange(serve(vec![vec![], vec![ANSWER]]), &[GET]);
    assert_eq!((answers, error.unwrap().contains("new connection")), (vec![], true));
    // Whether the request was processed is unknown.
    let (answers, error) = exchange(serve(vec![vec![ANSWER], vec![ANSWER]]), &[GET, POST]);
    assert_eq!((answers, error.unwrap().contains("POST")), (vec![200], true));
}

/// A load continues if the server closes connections; pipelined requests are all answered.
#[test]
fn a_load_continues_on_new_connections() {
    for (depth, last) in [(1, ANSWER), (1, LAST_ANSWER), (4, ANSWER), (4, LAST_ANSWER)] {
        let address = serve(std::iter::repeat(vec![ANSWER, ANSWER, last]));
        let request = Request::Get { path: "/", tokens: ["token".to_owned()].into() };
        let applied = Load { address, request, expected_status: 200, depth, pace: None }.apply();
        wait_for("a thousand answers", || (applied.validations() >= 1_000).then_some(()));
        applied.end().unwrap();
    }
}

/// Ten seconds of all connections: the send times match the pace and are evenly spaced.
#[test]
fn a_pace_is_spread_evenly_over_all_connections() {
    for per_second in [1, 100, 10_000] {
        let pace = Pace { per_second };
        let mut times_ns: Vec<_> = (0..CONNECTIONS)
            .flat_map(|connection| {
                let (first, period) = pace.of_connection(connection);
                let times = std::iter::successors(Some(first), move |time| Some(*time + period));
                times.map(|time| time.as_nanos()).take_while(|ns| *ns < 10_000_000_000)
            })
            .collect();
        times_ns.sort_unstable();
        assert_eq!(times_ns.len(), 10 * per_second as usize);
        let between_ns = 1_000_000_000 / u128::from(per_second);
        assert!(times_ns.windows(2).all(|pair| pair[1] - pair[0] == between_ns), "{per_second}");
    }
}

/// A paced connection keeps to its send times, and an unlimited load can be stopped.
#[test]
fn a_paced_load_continues_on_new_connections() {
    let address = serve(std::iter::repeat(vec![ANSWER, ANSWER]));
    let request = Request::Get { path: "/", tokens: ["token".to_owned()].into() };
    let pace = Some(Pace { per_second: 10_000 });
    let applied = Load { address, request, expected_status: 200, depth: 1, pace }.apply();
    wait_for("five hundred answers", || (applied.validations() >= 500).then_some(()));
    applied.end().unwrap();
}

fn one_to(count: u32) -> Vec<f64> {
    (1..=count).map(f64::from).collect()
}

#[test]
fn the_median_does_not_depend_on_the_order() {
    assert_eq!(median(&[]), None);
    assert_eq!(median(&[7.0]), Some(7.0));
    assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
    assert_eq!(median(&[4.0, 1.0, 100.0, 2.0]), Some(3.0));
}

#[test]
fn the_interval_matches_the_sign_test() {
    // The ranks of the sign test's table: 6 values 1..6, 10 values 2..9, 20 values 6..15, 30 values 10..21.
    assert_eq!(median_interval_95(&one_to(6)), Some((1.0, 6.0)));
    assert_eq!(median_interval_95(&one_to(10)), Some((2.0, 9.0)));
    assert_eq!(median_interval_95(&one_to(20)), Some((6.0, 15.0)));
    assert_eq!(median_interval_95(&one_to(30)), Some((10.0, 21.0)));
}

#[test]
fn too_few_values_have_no_interval() {
    for count in 0..6 {
        assert_eq!(median_interval_95(&one_to(count)), None, "{count}");
    }
}

#[test]
fn one_outlier_moves_neither_median_nor_interval() {
    let mut values = one_to(20);
    values[19] = 1e9;
    values.reverse();
    assert_eq!(median(&values), Some(10.5));
    assert_eq!(median_interval_95(&values), Some((6.0, 15.0)));
}

#[test]
fn a_percentile_is_the_nearest_rank() {
    assert_eq!(percentile(&[], 50), None);
    assert_eq!(percentile(&[7.0], 99), Some(7.0));
    assert_eq!(percentile(&[3.0, 1.0, 2.0], 50), Some(2.0));
    assert_eq!(percentile(&one_to(100), 99), Some(99.0));
    assert_eq!(percentile(&one_to(101), 99), Some(100.0));
    assert_eq!(percentile(&one_to(1_000), 99), Some(990.0));
    assert_eq!(percentile(&one_to(1_000), 100), Some(1_000.0));
    assert_eq!(percentile(&one_to(10), 0), Some(1.0));
}
