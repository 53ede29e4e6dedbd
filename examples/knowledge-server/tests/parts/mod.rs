//! Real parts for tests: a PostgreSQL with pgvector and a language model, started on a free port or socket in a
//! folder of their own, and ended with the test, however that ends.

mod model;
mod postgres;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

pub(crate) use self::model::Model;
pub(crate) use self::postgres::Postgres;

/// A program that is told what to do line by line, answers each line with one, and ends with its input.
#[derive(Debug)]
struct Part {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// The folder of this script and its like.
fn scripts() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/parts"))
}

/// Where the wheels are unpacked. They are downloaded by whichever test needs them first.
pub(crate) fn wheels() -> &'static Path {
    static WHEELS: OnceLock<PathBuf> = OnceLock::new();
    WHEELS.get_or_init(|| {
        let install = Command::new(scripts().join("install"))
            .stderr(Stdio::inherit())
            .output();
        let output = install.expect("tests/parts/install starts");
        assert!(
            output.status.success(),
            "tests/parts/install failed: {}",
            output.status
        );
        let folder = String::from_utf8(output.stdout).expect("a path");
        PathBuf::from(folder.trim())
    })
}

// === impl Part ===

impl Part {
    /// Starts it, and gives back its first line.
    fn start(command: &mut Command) -> (Self, String) {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut part = Self {
            child,
            orders,
            answers,
        };
        let first = part.answer();
        (part, first)
    }

    fn order(&mut self, word: &str) {
        let orders = self.orders.as_mut().expect("it is open until the end");
        writeln!(orders, "{word}").expect("the part reads");
        assert_eq!(self.answer(), word);
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the part writes");
        assert!(line.ends_with('\n'), "the part ended: {:?}", self.child.wait());
        line.trim().to_owned()
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status();
        assert!(sent.expect("there is a kill").success());
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        drop(self.orders.take());
        // Its last words are those of a part that was stopped.
        let _ended = self.child.wait();
    }
}
