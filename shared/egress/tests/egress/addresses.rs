//! What may not be reached is not reached.

use std::{env, process::Command};

use bellhop_core::{Reason, ports::Sent};
use bellhop_egress::Settings;

use super::{answer, egress, failure, get, servers, servers::Then, settings, strict, through};

const BLOCKED: (Reason, Sent) = (Reason::BlockedAddress, Sent::No);

#[tokio::test]
async fn loopback_is_blocked_in_every_spelling() {
    let server = servers::http(Then::ok("")).await;
    let port = server.address.port();
    let hosts =
        ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "[::ffff:127.0.0.1]", "127.0.0.1.", "localhost", "１２７.0.0.1"];
    for host in hosts {
        assert_eq!(failure(&strict(), &get(format!("http://{host}:{port}/"))).await, BLOCKED, "{host}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_proxy_on_loopback_is_blocked_in_every_spelling() {
    let server = servers::http(Then::ok("")).await;
    let port = server.address.port();
    let egress = egress(Settings { resolve: settings(server.address).resolve, ..Settings::default() });
    for host in ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "[::ffff:127.0.0.1]", "127.0.0.1.", "localhost"] {
        for scheme in ["http", "https", "socks5", "socks5h"] {
            let outgoing = through(format!("{scheme}://{host}:{port}"), get("http://target.test/"));
            assert_eq!(failure(&egress, &outgoing).await, BLOCKED, "{scheme}://{host}");
        }
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_private_target_through_an_allowed_proxy_is_blocked() {
    let proxy = servers::http(Then::ok("")).await;
    let egress = egress(settings(proxy.address));
    for scheme in ["http", "socks5", "socks5h"] {
        for target in ["http://10.0.0.1/", "https://10.0.0.1/", "http://169.254.169.254/", "http://[fd00::1]/"] {
            let outgoing = through(format!("{scheme}://{}", proxy.address), get(target));
            assert_eq!(failure(&egress, &outgoing).await, BLOCKED, "{target} through {scheme}");
        }
    }
    assert_eq!(proxy.connections(), 0);
}

#[tokio::test]
async fn a_target_that_cannot_be_judged_is_not_sent_through_a_proxy() {
    let proxy = servers::http(Then::ok("")).await;
    let outgoing = through(format!("http://{}", proxy.address), get("http://nowhere.invalid/"));
    assert_eq!(failure(&egress(settings(proxy.address)), &outgoing).await, (Reason::DnsFailed, Sent::No));
    assert_eq!(proxy.connections(), 0);
}

/// Two roles: the test starts itself once more, with an environment that names a proxy, and as that child sends a request.
#[tokio::test]
async fn a_proxy_of_the_environment_is_ignored() {
    const TARGET: &str = "BELLHOP_EGRESS_TEST_TARGET";
    if let Some(target) = env::var_os(TARGET) {
        let target = target.into_string().unwrap().parse().unwrap();
        let reply = answer(&egress(settings(target)), &get(format!("http://target.test:{}/", target.port()))).await;
        assert_eq!(reply.body, b"direct");
        return;
    }
    let target = servers::http(Then::ok("direct")).await;
    let trap = servers::http(Then::ok("trapped")).await;
    let name = "addresses::a_proxy_of_the_environment_is_ignored";
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", name]).env(TARGET, target.address.to_string());
    for variable in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        child.env(variable, trap.url(""));
    }
    let output = tokio::task::spawn_blocking(move || child.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!((target.connections(), trap.connections()), (1, 0));
}
