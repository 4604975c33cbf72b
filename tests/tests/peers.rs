//! Signatures and encryption against other people's implementations of them.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::{path::Path, process::Command};

use serde_json::Value;

/// Each channel with how many requests were compared and how many differ; and which those are.
fn recomputed(arguments: &[&str]) -> (Vec<(String, u64, u64)>, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let python = root.join(".venv-peers/bin/python");
    assert!(python.exists(), "{} is missing: run `cargo xtask python`", python.display());
    let bellhop = acceptance::command([] as [&str; 0]);
    let mut command = Command::new(python);
    command.arg(root.join("tests/peers/recompute.py")).arg(bellhop.get_program()).args(arguments);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let counted: Value = serde_json::from_slice(&output.stdout).unwrap();
    let number = |of: &Value, name: &str| of[name].as_u64().unwrap();
    let counted = counted.as_object().unwrap().iter();
    (counted.map(|(channel, of)| (channel.clone(), number(of, "compared"), number(of, "different"))).collect(), said)
}

#[test]
fn what_is_signed_and_encrypted_is_what_other_implementations_make_of_it() {
    let (counted, said) = recomputed(&["2026"]);
    let channels: Vec<_> = counted.iter().map(|(channel, ..)| channel.as_str()).collect();
    assert_eq!(channels, ["webhook", "aliyun_sms", "dingtalk", "feishu_bot", "bark", "web_push"]);
    for (channel, compared, different) in counted {
        assert!(compared > 0 && different == 0, "{channel}: {different} of {compared} differ: {said}");
    }
}

#[test]
fn a_signature_with_one_letter_changed_is_found_out() {
    for (channel, compared, different) in recomputed(&["2026", "spoil"]).0 {
        assert_eq!(compared, different, "{channel}");
    }
}
