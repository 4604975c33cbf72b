//! How each provider wants it said: one file per channel, and one line in [`ALL`].
//!
//! A channel file holds a `static SPEC` (what the channel declares: forms, schema, docs and metric labels come from it) and
//! an implementation of [`bellhop_core::channel::Channel`]: a pure function from message, parameters and the answers so far
//! to the next step. What several channels share lies in files named after what it is: `template` (texts into a template,
//! in one pass), `sign` (signatures), `verdict` (what an HTTP status means), `answer` (what an answer in JSON says),
//! `join` (title, text, picture and link in one text), `html` (texts in HTML), `bodies` (a mail as text and HTML), `request`
//! (a POST of JSON), `header`, `address` and `mailbox` (what a tenant writes).
//!
//! Promises: no I/O, no clock, no chance but the context's; no panic, whatever was stored or answered; only what a provider
//! documents as success is success; no secret in an error. `tests/every_channel.rs` walks [`ALL`] for this, so that a new
//! channel is tested before its own first test. Left to others: making the request (`shared/egress`), trying again
//! (`bellhop_core::deliver`).

mod address;
mod aliyun_sms;
mod answer;
mod bark;
mod bodies;
mod custom;
mod dingtalk;
mod discord;
mod email;
mod fcm;
mod feishu_app;
mod feishu_bot;
mod gotify;
mod header;
mod html;
mod join;
mod mailbox;
mod mailgun;
mod matrix;
mod ntfy;
mod param;
mod pushdeer;
mod pushplus;
mod request;
mod serverchan;
mod sign;
mod slack;
mod teams;
mod telegram;
mod template;
mod verdict;
mod webhook;
mod wecom_app;
mod wecom_bot;
mod wxpusher;
mod xxtui;

#[cfg(test)]
mod sample;

use bellhop_core::channel::Catalog;

/// Every channel that this program speaks.
pub const ALL: Catalog = Catalog(&[
    &webhook::Webhook, //
    &custom::Custom,
    &aliyun_sms::AliyunSms,
    &bark::Bark,
    &dingtalk::DingTalk,
    &discord::Discord,
    &email::Email,
    &fcm::Fcm,
    &feishu_app::FeishuApp,
    &feishu_bot::FeishuBot,
    &gotify::Gotify,
    &mailgun::Mailgun,
    &matrix::Matrix,
    &ntfy::Ntfy,
    &pushdeer::PushDeer,
    &pushplus::PushPlus,
    &serverchan::ServerChan,
    &slack::Slack,
    &teams::Teams,
    &telegram::Telegram,
    &wecom_app::WecomApp,
    &wecom_bot::WecomBot,
    &wxpusher::WxPusher,
    &xxtui::Xxtui,
]);
