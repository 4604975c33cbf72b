//! A form with a picture in it. <https://www.rfc-editor.org/rfc/rfc7578>

use bellhop_core::{
    channel::{Body, Context, Method, Outgoing},
    model::Picture,
};

use crate::email::picture_type;

/// A POST of these texts and, under the name `file`, of the picture. The names are ours: nothing in them needs escaping.
pub(crate) fn post(cx: &Context, url: String, fields: &[(&str, String)], file: &str, picture: &Picture) -> Outgoing {
    let boundary = cx.nonce("boundary", 24);
    let (media_type, name) = picture_type(&picture.0);
    let part = |(name, value): &(&str, String)| {
        format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"{file}\"; filename=\"{name}\"\r\nContent-Type: {media_type}\r\n\r\n"
    );
    let texts = fields.iter().map(part).collect::<String>() + &head;
    let body = [texts.as_bytes(), &picture.0, format!("\r\n--{boundary}--\r\n").as_bytes()].concat();
    Outgoing {
        method: Method::Post,
        url,
        headers: vec![("content-type".to_owned(), format!("multipart/form-data; boundary={boundary}"))],
        body: Body::Raw(body),
        proxy: None,
    }
}
