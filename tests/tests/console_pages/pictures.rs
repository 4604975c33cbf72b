//! Pictures of all pages.

use std::{collections::BTreeSet, fs, path::Path};

use acceptance::Bellhop;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::json;

use crate::{
    lived_in::{lived_in, usually},
    visitor::{Scripts, Visitor},
};

/// The most that all of them may have, in bytes: they lie in the repository.
const MOST: usize = 4_000_000;

/// The page as it is seen, as WebP; more than this quality shows no more of it.
async fn picture(visitor: &mut Visitor) -> Vec<u8> {
    let picture = visitor.page.call("Page.captureScreenshot", json!({ "format": "webp", "quality": 40 })).await;
    BASE64_STANDARD.decode(picture["data"].as_str().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_has_its_picture_taken_in_both_themes_and_both_languages() {
    let data = tempfile::tempdir().unwrap();
    let bellhop = Bellhop::start(data.path());
    let places = lived_in(&bellhop, &usually).await;
    let mut visitor = Visitor::signed_in(&bellhop, Scripts::On).await;
    visitor.on_screen(1_000, 700).await;
    // `cargo xtask screenshots` keeps them
    let kept =
        std::env::var_os("BELLHOP_WRITE_SCREENSHOTS").map(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/screenshots"));
    let folder = kept.unwrap_or_else(|| data.path().join("screenshots"));
    fs::create_dir_all(&folder).unwrap();
    let (mut names, mut bytes) = (BTreeSet::new(), 0);
    for place in &places {
        for language in ["en", "zh-CN"] {
            visitor.in_language(language).await;
            place.visit(&mut visitor).await;
            for theme in ["light", "dark"] {
                visitor.with_theme(theme).await;
                let picture = picture(&mut visitor).await;
                assert_eq!(picture.get(8..12), Some(&b"WEBP"[..]), "{}", place.name);
                bytes += picture.len();
                let name = format!("{}.{theme}.{language}.webp", place.name);
                fs::write(folder.join(&name), picture).unwrap();
                names.insert(name);
            }
        }
    }
    assert!(bytes <= MOST, "{bytes} bytes");
    // what is no page any more has no picture
    for old in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
        if !names.contains(old.file_name().to_str().unwrap()) {
            fs::remove_file(old.path()).unwrap();
        }
    }
}
