//! The README's commands, run as they stand there.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    fs,
    process::{Child, Command, Stdio},
};

use acceptance::{Bellhop, commands, eventually};

struct Receiver(Child);

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

async fn runs(page: &str, heading: &str) {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("bellhop-data");
    let blocks = commands(page, heading);
    let [start, receive, send, look] = &blocks[..] else { panic!("{page} has other blocks now: {blocks:#?}") };

    let options: Vec<_> = start.trim().strip_prefix("cargo run --release -- ").unwrap().split(' ').collect();
    let bellhop = Bellhop::start_with(&data, &options);
    let port = free_port();
    let adapt = |block: &str| {
        block
            .replace("http://127.0.0.1:8480", &bellhop.client.url)
            .replace("127.0.0.1:9000", &format!("127.0.0.1:{port}"))
            .replace("(\"127.0.0.1\", 9000)", &format!("(\"127.0.0.1\", {port})"))
    };
    let shell = |block: &str| {
        let mut shell = Command::new("bash");
        shell.args(["-euo", "pipefail", "-c", &adapt(block)]).current_dir(home.path());
        shell
    };
    let printed = home.path().join("printed");
    let receiving =
        shell(&format!("exec {}", receive.trim())).stdout(fs::File::create(&printed).unwrap()).stderr(Stdio::null()).spawn();
    let _receiver = Receiver(receiving.unwrap());
    eventually("the receiver listens", async || {
        tokio::net::TcpSocket::new_v4().unwrap().connect(([127, 0, 0, 1], port).into()).await.ok()
    })
    .await;

    let answered = shell(send).output().unwrap();
    let answer = String::from_utf8(answered.stdout).unwrap();
    assert!(answered.status.success() && answer.contains("\"state\":\"queued\""), "{answer}");
    let arrived = eventually("the receiver prints the event", async || {
        let text = fs::read_to_string(&printed).unwrap();
        text.ends_with("}\n").then_some(text)
    });
    assert!(arrived.await.contains("42"));
    eventually("the delivery is shown as delivered", async || {
        let shown = String::from_utf8(shell(look).output().unwrap().stdout).unwrap();
        shown.contains("\"state\":\"delivered\"").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_readme_work_as_they_stand() {
    runs("README.md", "Try it").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_chinese_readme_work_as_they_stand() {
    runs("README.zh-CN.md", "试一试").await;
}
