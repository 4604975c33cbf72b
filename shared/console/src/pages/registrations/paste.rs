//! What people have at hand of a destination, on one line: the address of a webhook, or QD's `a;b;c`. Pure.

use serde_json::{Value, json};
use url::{Host, Url};

/// A destination as far as an address tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    /// The channel's id.
    pub(super) channel: &'static str,
    /// The parameter that takes the address as it is.
    pub(super) param: Option<&'static str>,
}

/// Hosts whose addresses tell the channel; the more special ones first. What has no parameter for a whole address takes it as
/// its one line.
const HOSTS: [(&str, &str, Option<&str>); 12] = [
    ("oapi.dingtalk.com", "dingtalk", Some("access_token")),
    ("qyapi.weixin.qq.com", "wecom_bot", Some("key")),
    ("open.feishu.cn", "feishu_bot", Some("token")),
    ("open.larksuite.com", "feishu_bot", Some("token")),
    ("hooks.slack.com", "slack", Some("webhook")),
    ("discord.com", "discord", Some("webhook")),
    ("discordapp.com", "discord", Some("webhook")),
    ("webhook.office.com", "teams", Some("webhook")),
    ("logic.azure.com", "teams", Some("webhook")),
    ("powerplatform.com", "teams", Some("webhook")),
    ("api.day.app", "bark", None),
    ("sctapi.ftqq.com", "serverchan", None),
];

/// Which channel an address is one of: a webhook like any other, unless its host tells more.
pub(super) fn recognised(line: &str) -> Option<Known> {
    let url = Url::parse(line.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let Host::Domain(host) = url.host()? else { return Some(WEBHOOK) };
    let is_below = |known: &str| host.strip_suffix(known).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    let found = HOSTS.iter().find(|(known, ..)| is_below(known));
    Some(found.map_or(WEBHOOK, |&(_, channel, param)| Known { channel, param }))
}

const WEBHOOK: Known = Known { channel: "webhook", param: Some("url") };

/// The `params` of a body that say this line on that channel: the API reads a line itself.
pub(super) fn params(channel: &str, line: &str) -> Value {
    match recognised(line).filter(|known| known.channel == channel).and_then(|known| known.param) {
        Some(param) => json!({ param: line.trim() }),
        None => Value::from(bare(channel, line.trim())),
    }
}

/// Of an address whose channel takes no whole one, what it takes.
fn bare<'a>(channel: &str, line: &'a str) -> &'a str {
    match channel {
        // https://sctapi.ftqq.com/SCT….send
        "serverchan" if line.contains("://") => {
            line.rsplit('/').next().unwrap_or_default().split(".send").next().unwrap_or_default()
        }
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(line: &str) -> Option<&'static str> {
        recognised(line).map(|known| known.channel)
    }

    #[test]
    fn the_address_of_a_robot_tells_its_channel() {
        let known = [
            (" https://oapi.dingtalk.com/robot/send?access_token=abc\n", "dingtalk"),
            ("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=abc", "wecom_bot"),
            ("https://open.feishu.cn/open-apis/bot/v2/hook/abc", "feishu_bot"),
            ("https://hooks.slack.com/services/T0/B0/abc", "slack"),
            ("https://ptb.discord.com/api/webhooks/1/abc", "discord"),
            ("https://prod-1.westus.logic.azure.com:443/workflows/abc", "teams"),
            ("https://api.day.app/abc", "bark"),
            ("https://sctapi.ftqq.com/SCT1abc.send", "serverchan"),
            ("https://example.org/hook", "webhook"),
            ("http://10.0.0.1/hook", "webhook"),
        ];
        for (line, wanted) in known {
            assert_eq!(channel(line), Some(wanted), "{line}");
        }
    }

    #[test]
    fn a_host_that_only_looks_like_one_is_a_webhook_like_any_other() {
        for line in ["https://notdiscord.com/x", "https://discord.com.evil.example/x"] {
            assert_eq!(channel(line), Some("webhook"), "{line}");
        }
    }

    #[test]
    fn what_is_no_address_tells_nothing() {
        for line in ["", "a;b;c", "ftp://example.org/", "mailto:a@example.org"] {
            assert_eq!(recognised(line), None, "{line}");
        }
    }

    #[test]
    fn an_address_goes_into_its_parameter_and_any_other_line_as_it_is() {
        assert_eq!(params("slack", "https://hooks.slack.com/x"), json!({"webhook": "https://hooks.slack.com/x"}));
        assert_eq!(params("webhook", "https://example.org/"), json!({"url": "https://example.org/"}));
        assert_eq!(params("serverchan", "https://sctapi.ftqq.com/SCT1abc.send"), json!("SCT1abc"));
        assert_eq!(params("telegram", " 1:abc;42 "), json!("1:abc;42"));
        assert_eq!(
            params("wecom_app", "corp;1000002;secret;;https://proxy.example"),
            json!("corp;1000002;secret;;https://proxy.example")
        );
    }
}
