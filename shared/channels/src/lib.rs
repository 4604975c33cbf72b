//! How each provider wants it said: one file per channel, and a line of it in [`SPECS`] and in [`ALL`].
//!
//! A channel file holds a `static SPEC` (what the channel declares: forms, schema, docs and metric labels come from it, and
//! the check of what is registered) and whoever speaks it: mostly a `request::Once`, else an implementation of
//! [`bellhop_core::channel::Channel`], a pure function from message, parameters and the answers so far to the next step. Who
//! takes [`SPECS`] alone is not linked with anything that speaks. What several channels share lies in files named after what
//! it is: `template` (texts into a template, in one pass), `sign` (signatures), `verdict` (what an HTTP status means),
//! `answer` (what an answer in JSON says), `ask` (what goes before a message), `feishu` (an app's calls), `format` (what was written, as the channel shows it), `packet` (a message as Mpush clients know it), `join` (title, text, picture
//! and link in one text), `html` (texts in HTML), `bodies` (a mail as text and HTML), `request` (one request, and its answer),
//! `header`, `address` and `mailbox` (what a tenant writes).
//!
//! Promises: no I/O, no clock, no chance but the context's; no panic, whatever was stored or answered; only what a provider
//! documents as success is success; no secret in an error. `tests/every_channel` walks [`ALL`] for this, so that a new
//! channel is tested before its own first test. Left to others: making the request (`shared/egress`), trying again
//! (`bellhop_core::deliver`).

mod address;
mod aliyun_sms;
mod answer;
mod ask;
mod bark;
mod bodies;
mod custom;
mod dingtalk;
mod discord;
mod email;
mod fcm;
mod feishu;
mod feishu_app;
mod feishu_bot;
mod format;
mod gotify;
mod header;
mod html;
mod join;
mod mailbox;
mod mailgun;
mod matrix;
mod mpush;
mod multipart;
mod ntfy;
mod onebot;
mod packet;
mod param;
mod pushdeer;
mod pushplus;
mod request;
mod serverchan;
mod ses;
mod sign;
mod slack;
mod teams;
mod telegram;
mod template;
mod verdict;
mod web_push;
mod webhook;
mod websocket;
mod wecom_app;
mod wecom_bot;
mod wxpusher;
mod xxtui;

#[cfg(test)]
mod sample;

use bellhop_core::channel::Catalog;

/// Every channel, to check what is registered; spoken by nobody.
pub const SPECS: Catalog = Catalog {
    specs: &[
        &webhook::SPEC,
        &custom::SPEC,
        &aliyun_sms::SPEC,
        &bark::SPEC,
        &dingtalk::SPEC,
        &discord::SPEC,
        &email::SPEC,
        &fcm::SPEC,
        &feishu_app::SPEC,
        &feishu_bot::SPEC,
        &gotify::SPEC,
        &mailgun::SPEC,
        &matrix::SPEC,
        &mpush::SPEC,
        &ntfy::SPEC,
        &onebot::SPEC,
        &pushdeer::SPEC,
        &pushplus::SPEC,
        &serverchan::SPEC,
        &ses::SPEC,
        &slack::SPEC,
        &teams::SPEC,
        &telegram::SPEC,
        &web_push::SPEC,
        &websocket::SPEC,
        &wecom_app::SPEC,
        &wecom_bot::SPEC,
        &wxpusher::SPEC,
        &xxtui::SPEC,
    ],
    speakers: &[],
    render: bellhop_core::render::message,
};

/// Every channel, to be spoken.
pub const ALL: Catalog = Catalog {
    speakers: &[
        &webhook::Webhook,
        &custom::SPEAKER,
        &aliyun_sms::SPEAKER,
        &bark::SPEAKER,
        &dingtalk::SPEAKER,
        &discord::SPEAKER,
        &email::Email,
        &fcm::Fcm,
        &feishu_app::FeishuApp,
        &feishu_bot::FeishuBot,
        &gotify::SPEAKER,
        &mailgun::SPEAKER,
        &matrix::Matrix,
        &mpush::Mpush,
        &ntfy::SPEAKER,
        &onebot::OneBot,
        &pushdeer::SPEAKER,
        &pushplus::SPEAKER,
        &serverchan::SPEAKER,
        &ses::Ses,
        &slack::SPEAKER,
        &teams::SPEAKER,
        &telegram::Telegram,
        &web_push::WebPush,
        &websocket::WebSocket,
        &wecom_app::WecomApp,
        &wecom_bot::WecomBot,
        &wxpusher::SPEAKER,
        &xxtui::SPEAKER,
    ],
    render: format::message,
    ..SPECS
};
