//! An example registration of every channel.

use std::sync::LazyLock;

use bellhop_core::channel::Channel;
use serde_json::{Map, Value, json};

/// Stands in every secret of every example.
pub(crate) const PLANTED: &str = "S3cr3t";

/// A registration of each channel with every secret that it may have.
pub(crate) fn example(channel: &dyn Channel) -> Map<String, Value> {
    let example = match channel.spec().id {
        "webhook" => json!({
            "url": "https://hooks.example.com/in/S3cr3t?key=S3cr3t%2F1",
            "headers": {"x-auth": "Bearer S3cr3t.S3cr3t"},
            "secret": "whsec_S3cr3tS3cr3tS3cr3tS3cr3tS3cr3tS3cr3t",
            "token": "a S3cr3t token",
            "proxy": "http://user:S3cr3t@proxy.example.com:8080",
        }),
        "custom" => json!({
            "url": "https://hooks.example.com/S3cr3t?log={log}",
            "headers": {"x-auth": "S3cr3t"},
            "body": "{\"token\": \"S3cr3t\", \"text\": \"{t}\"}",
            "proxy": "socks5://user:S3cr3t@proxy.example.com:1080",
        }),
        "bark" => json!({
            "device_key": "S3cr3t",
            "device_keys": ["S3cr3t2"],
            "user": "u",
            "password": "S3cr3t",
            "encryption": {"algorithm": "AES128", "mode": "CBC", "padding": "pkcs7", "key": "S3cr3tS3cr3tS3cr"},
        }),
        "dingtalk" => json!({
            "access_token": "https://oapi.dingtalk.com/robot/send?access_token=S3cr3t",
            "secret": "SECS3cr3t",
        }),
        "feishu_bot" => json!({
            "token": "https://open.feishu.cn/open-apis/bot/v2/hook/S3cr3t",
            "secret": "S3cr3t",
            "app_id": "cli_1",
            "app_secret": "S3cr3t",
        }),
        "serverchan" => json!({"send_key": "SCTS3cr3t"}),
        "telegram" => json!({
            "bot_token": "123456789:S3cr3t",
            "chat_id": "987654321",
            "proxy": "http://user:S3cr3t@proxy.example.com:8080",
        }),
        "wecom_app" => json!({
            "corp_id": "ww1",
            "corp_secret": "S3cr3t",
            "agent_id": 1_000_002,
            "to_user": ["zhangsan", "lisi"],
            "proxy": "http://user:S3cr3t@proxy.example.com:8080",
        }),
        "feishu_app" => json!({
            "app_id": "cli_1",
            "app_secret": "S3cr3t",
            "receive_id": "ou_1",
            "proxy": "http://user:S3cr3t@proxy.example.com:8080",
        }),
        "fcm" => json!({
            "service_account": *SERVICE_ACCOUNT,
            "token": "S3cr3t",
            "proxy": "http://user:S3cr3t@proxy.example.com:8080",
        }),
        "wecom_bot" => json!({"key": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=S3cr3t"}),
        "email" => json!({
            "host": "smtp.example.com",
            "user": "bot@example.com",
            "password": "S3cr3t",
            "from": "Bellhop <bot@example.com>",
            "to": ["a@example.org"],
        }),
        "mailgun" => {
            json!({"domain": "mg.example.com", "api_key": "key-S3cr3t", "from": "bot@mg.example.com", "to": ["a@example.org"]})
        }
        "onebot" => json!({"endpoint": "http://bot.example.com/", "token": "S3cr3t", "user_ids": [10001]}),
        "ses" => {
            json!({"region": "eu-west-1", "from": "Bellhop <bot@example.com>", "to": ["a@example.org"], "configuration_set": "cs"})
        }
        "websocket" => json!({"url": "wss://ws.example.com/in?key=S3cr3t", "headers": {"authorization": "Bearer S3cr3t"}}),
        "ntfy" => json!({"base_url": "https://ntfy.example.com/sub", "topic": "S3cr3t", "token": "tk_S3cr3t"}),
        "gotify" => json!({"base_url": "https://gotify.example.com/sub/", "app_token": "S3cr3t"}),
        "slack" => json!({"webhook": "https://hooks.slack.com/services/T1/B1/S3cr3t"}),
        "discord" => json!({"webhook": "https://discord.com/api/webhooks/417/S3cr3t"}),
        "teams" => json!({"webhook": "https://prod-1.logic.azure.com:443/workflows/1/invoke?sp=%2Frun&sig=S3cr3t"}),
        "mpush" => mpush(),
        "matrix" => {
            json!({"homeserver": "https://matrix.example.org", "access_token": "syt_S3cr3t", "room_id": "!abc:example.org"})
        }
        "pushdeer" => json!({"push_key": "PDUS3cr3t", "base_url": "https://pushdeer.example.com"}),
        "pushplus" => json!({"token": "S3cr3t", "topic": "grp", "to": "S3cr3t", "channel": "wechat"}),
        "wxpusher" => json!({"app_token": "AT_S3cr3t", "uids": ["UID_1"], "spt": ["SPT_S3cr3t"]}),
        "xxtui" => json!({"api_key": "S3cr3t", "from": "svc", "channel": "WX_MP"}),
        "aliyun_sms" => {
            json!({"access_key_id": "LTAI1", "access_key_secret": "S3cr3t", "sign_name": "n", "template_code": "SMS_1", "phone_numbers": ["13800138000"]})
        }
        "web_push" => json!({
            "endpoint": "https://push.example.com/S3cr3t",
            "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
            "auth": "S3cr3tS3cr3tS3cr3tS3cw",
            "proxy": "http://user:S3cr3t@proxy.example.com:8080",
        }),
        id => panic!("write an example registration of `{id}` here, with every secret that it may have"),
    };
    example.as_object().unwrap().clone()
}

/// A client that is called, with the subscription of one that is not.
fn mpush() -> Value {
    json!({
        "method": "webhook_post",
        "url": "https://hooks.example.com/S3cr3t?key=S3cr3t",
        "token": "S3cr3t",
        "endpoint": "https://push.example.com/S3cr3t",
        "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        "auth": "S3cr3tS3cr3tS3cr3tS3cw",
        "proxy": "http://user:S3cr3t@proxy.example.com:8080",
    })
}

/// One with a key that was made for the cases.
static SERVICE_ACCOUNT: LazyLock<String> = LazyLock::new(|| {
    let case: Value = serde_json::from_str(include_str!("../../cases/fcm.json")).unwrap();
    let account = case["cases"][0]["registration"]["service_account"].as_str().unwrap();
    let mut account: Value = serde_json::from_str(account).unwrap();
    account["private_key_id"] = PLANTED.into();
    account.to_string()
});
