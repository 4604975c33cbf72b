//! A real mail server: aiosmtpd, as the tests of `shared/egress` run it.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

/// The mail server of the tests of `shared/egress`; it ends with its standard input.
pub struct MailServer {
    process: Child,
    told: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl MailServer {
    /// Starts it with these options; answers with its address, too.
    pub fn start(options: &Value) -> (Self, String) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let python = std::env::var_os("BELLHOP_VENV").map_or_else(|| root.join(".venv"), Into::into).join("bin/python");
        let mut process = Command::new(python)
            .arg(root.join("shared/egress/tests/egress/mail_server.py"))
            .arg(options.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null()) // it complains of every client that hangs up
            .spawn()
            .expect("aiosmtpd is in `.venv`, or where `BELLHOP_VENV` says");
        let mut told = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = told.next().unwrap().unwrap();
        (Self { process, told }, format!("127.0.0.1:{port}"))
    }

    /// What it tells next: a message that it was handed, or that a session has ended.
    pub fn told(&mut self) -> Value {
        serde_json::from_str(&self.told.next().unwrap().unwrap()).unwrap()
    }

    /// Ends it. Answers with every message that it was handed and that nobody has asked for yet.
    pub fn end(mut self) -> Vec<Value> {
        drop(self.process.stdin.take());
        let told = self.told.by_ref().map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
        told.filter(|told| told["message"].is_string()).collect()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        drop(self.process.wait());
    }
}
