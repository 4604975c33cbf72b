//! Dead letters: wake-ups that no worker could take, counted by channel for whoever runs the deployment.

use axum::{
    http::Method,
    response::{IntoResponse, Redirect, Response},
};
use bellhop_core::model::Scope;
use maud::html;
use serde_json::{Value, json};

use super::{DEAD_LETTERS, DEAD_LETTERS_PATH, views};
use crate::{
    form::hidden_token,
    language::texts,
    layout::Section,
    show::{self, text},
    table::table,
    visitor::{Stop, Submitted, Visitor},
};

texts! {
    WHAT = "What no worker could take, after several tries: of all accounts. Bringing it back has it tried anew.",
           "多次尝试后仍无法处理的消息（所有账户）。移回后会重新处理。";
    LACKS = "Your key lacks the scope `operate`, which this page needs: dead letters belong to whoever runs the deployment. Your own deliveries that failed are in the list of deliveries.",
            "您的密钥没有此页面所需的 `operate` 权限：死信由部署的运维者处理。您自己失败的投递请在投递列表中查看。";
    CHANNEL = "Channel", "渠道";
    COUNT = "Dead letters", "死信数";
    ACTION = "What to do", "操作";
    REDRIVE = "Bring them back", "移回重新处理";
}

pub(super) async fn show(visitor: Visitor) -> Result<Response, Stop> {
    let title = visitor.say(DEAD_LETTERS);
    let letters = if visitor.may(Scope::Operate) { Some(visitor.list("/v1/dead-letters").await?.items) } else { None };
    let row = |letters: &Value| {
        let channel = text(letters, "channel");
        html! {
            tr {
                th scope="row" { (channel) }
                td { (show::value(&letters["count"])) }
                td {
                    @if letters["count"] != 0 {
                        form.inline method="post" action="/console/dead-letters/redrive" {
                            (hidden_token(&visitor))
                            input type="hidden" name="channel" value=(channel);
                            button type="submit" { (visitor.say(REDRIVE)) span.unseen { ": " (channel) } }
                        }
                    }
                }
            }
        }
    };
    let heads = [CHANNEL, COUNT, ACTION].map(|head| visitor.say(head));
    let content = html! {
        h1 { (title) }
        (views(&visitor, DEAD_LETTERS_PATH))
        @match &letters {
            None => { p { (visitor.say(LACKS)) } }
            Some(letters) => {
                p { (visitor.say(WHAT)) }
                (table(&visitor, title, &heads, &letters.iter().map(row).collect::<Vec<_>>()))
            }
        }
    };
    Ok(visitor.page(Section::Messages, title, content))
}

pub(super) async fn redrive(Submitted { visitor, fields }: Submitted) -> Result<Response, Stop> {
    let body = json!({ "channel": fields.json("channel") });
    let redriven = visitor.call(Method::POST, "/v1/dead-letters/redrive", Some(&body)).await;
    redriven.map_err(|refusal| visitor.stop(refusal))?;
    Ok(Redirect::to(&format!("{DEAD_LETTERS_PATH}?notice=done")).into_response())
}
