//! Commands of the tests to Redis and to Sentinels, answered as text.
//!
//! A redis-cli for each command would take three quarters of the time of a Cluster's start: mostly, it loads libraries.

use std::io::{Read, Write};

use redis::{Parser, RedisResult, Value};

/// Sends a command and returns its answer without the last line ends. An array has one element per line; nil is empty.
/// An error answer is an error.
pub fn call(connection: &mut (impl Read + Write), args: &[&str]) -> RedisResult<String> {
    let mut command = redis::Cmd::new();
    command.arg(args);
    connection.write_all(&command.get_packed_command())?;
    let answer = Parser::new().parse_value(connection)?.extract_error()?;
    Ok(text(&answer).trim_end_matches('\n').to_owned())
}

fn text(answer: &Value) -> String {
    match answer {
        Value::Nil => String::new(),
        Value::Int(number) => number.to_string(),
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::SimpleString(text) => text.clone(),
        Value::Okay => "OK".to_owned(),
        Value::Array(answers) => answers.iter().map(text).collect::<Vec<_>>().join("\n"),
        other => panic!("not an answer of RESP2: {other:?}"),
    }
}
