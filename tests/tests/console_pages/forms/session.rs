use acceptance::Bellhop;

use super::World;
use crate::visitor::{Scripts, Visitor};

#[tokio::test(flavor = "multi_thread")]
pub(super) async fn whoever_signs_in_is_led_to_the_page_that_was_wanted() {
    for scripts in Scripts::BOTH {
        let data = tempfile::tempdir().unwrap();
        let bellhop = Bellhop::start(data.path());
        let mut visitor = Visitor::of(&bellhop, scripts).await;
        visitor.open("/console/deliveries?state=failed").await;
        assert_eq!(visitor.path().await, "/console/sign-in");
        visitor.fill("key", &format!("{}0", bellhop.client.key)).await;
        visitor.submit("/console/sign-in").await;
        assert_ne!(visitor.error_at("key").await, "");
        visitor.fill("key", &bellhop.client.key).await;
        visitor.submit("/console/sign-in").await;
        assert_eq!(visitor.address().await, "/console/deliveries?state=failed");
    }
}

#[tokio::test(flavor = "multi_thread")]
pub(super) async fn whoever_signs_out_is_asked_for_a_key_again() {
    let mut world = World::new(Scripts::Off).await;
    world.visitor.submit("/console/sign-out").await;
    world.visitor.open("/console/keys").await;
    assert_eq!(world.visitor.address().await, "/console/sign-in?next=%2Fconsole%2Fkeys");
    let keys = world.client().get("/v1/keys").await;
    assert!(keys["items"].as_array().unwrap().iter().all(|key| key["session_of"].is_null()), "{keys}");
}
