//! `/v1/web-push`.

use serde_json::json;

use crate::world;

#[tokio::test]
async fn whoever_asks_first_has_the_key_made_and_all_hear_its_public_part_alone() {
    let world = world().await;
    assert_eq!(world.rig.ports.vapid.public().await, Ok(None));
    let first = world.call("read", "GET", "/v1/web-push", "").await;
    let second = world.call("read", "GET", "/v1/web-push", "").await;
    let public = world.rig.ports.vapid.public().await.unwrap();
    assert_eq!((first.status, &first.body), (200, &json!({ "public_key": public })));
    assert_eq!(first.body, second.body);
}
