//! What a browser has to know before it subscribes to Web Push: the deployment's public key, which is the same for all
//! accounts and for ever.

use axum::{Json, extract::State};
use bellhop_http::{Api, Refused, caller::Reader};
use serde::Serialize;

/// What a page hands over as `applicationServerKey`. <https://www.w3.org/TR/push-api/#dom-pushsubscriptionoptionsinit-applicationserverkey>
#[derive(Serialize)]
pub(crate) struct WebPush {
    public_key: String,
}

/// Whoever asks first has it made.
pub(crate) async fn get(State(api): State<Api>, Reader(_): Reader) -> Result<Json<WebPush>, Refused> {
    let public_key = match api.ports.vapid.public().await? {
        Some(public) => public,
        None => api.ports.vapid.key().await?.public,
    };
    Ok(Json(WebPush { public_key }))
}
