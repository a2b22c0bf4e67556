//! Every help text of a program, held against a file of what was agreed on.
//!
//! Takes a program, asks it and each of its commands for `--help`, gives one text. The programs' own
//! tests compile this file and [`golden`], since they stand before this crate: both use the standard
//! library alone.

use crate::golden;
use std::process::Command;

/// Compares what the program called `name` says with the file at `path` below the root.
///
/// # Panics
/// If they differ.
pub fn is_as_agreed(program: &str, name: &str, path: &str) {
    golden::check(path, all(program, name).as_bytes());
}

/// The help of the program and of every command below it, in the order in which they are listed.
fn all(program: &str, name: &str) -> String {
    let mut text = String::new();
    let mut open = vec![Vec::new()];
    while let Some(command) = open.pop() {
        let arguments = [command.clone(), vec!["--help".to_owned()]].concat();
        let output = Command::new(program).args(&arguments).output();
        let output = output.expect("the program was built for this test");
        assert!(output.status.success());
        let help = String::from_utf8(output.stdout).expect("help is text");
        text.push_str(&format!("$ {name} {}\n{help}\n", arguments.join(" ")));
        for command_below in subcommands(&help).into_iter().rev() {
            open.push([command.clone(), vec![command_below]].concat());
        }
    }
    text
}

/// The names below `Commands:`, but for clap's own.
fn subcommands(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = listed.take_while(|line| !line.is_empty());
    let names = listed.filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next());
    names
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}
