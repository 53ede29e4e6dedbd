//! What was not written here and is installed for the tests: official clients, foreign parsers.

use std::path::PathBuf;
use std::process::Command;

/// A program of `tests/.parts` with a script of `tests/clients`. `None`: it is not installed, which only a
/// machine that is no CI may say.
pub(crate) fn script(name: &str) -> Option<Command> {
    let tests = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"));
    let python = tests.join(".parts/python/bin/python");
    let (program, part) = match name.ends_with(".py") {
        true => (python.clone(), python),
        false => ("node".into(), tests.join(".parts/node/node_modules")),
    };
    if !part.exists() {
        let part = part.display();
        assert!(
            std::env::var_os("CI").is_none(),
            "{part} is missing: tests/clients/install puts it there"
        );
        println!("{part} is missing, so nothing was tested: tests/clients/install puts it there");
        return None;
    }
    let mut command = Command::new(program);
    command.arg(tests.join("clients").join(name));
    Some(command)
}
