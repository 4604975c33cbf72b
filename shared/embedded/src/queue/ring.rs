//! Whose turn it is: round robin over accounts, and over the lanes of each.

use std::collections::{HashMap, VecDeque};

use bellhop_core::model::AccountId;

use super::table::LaneId;

/// Lanes that wait for their turn.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    accounts: VecDeque<AccountId>,
    lanes: HashMap<AccountId, VecDeque<LaneId>>,
}

impl Ring {
    /// Puts a lane at the end of its account's.
    pub(crate) fn push(&mut self, account: &AccountId, lane: LaneId) {
        if let Some(lanes) = self.lanes.get_mut(account) {
            lanes.push_back(lane);
        } else {
            self.accounts.push_back(account.clone());
            self.lanes.insert(account.clone(), VecDeque::from([lane]));
        }
    }

    /// Takes the lane whose turn it is, of the first account that may have one.
    pub(crate) fn pop(&mut self, may: impl Fn(&AccountId) -> bool) -> Option<LaneId> {
        let turn = self.accounts.iter().position(may)?;
        let account = self.accounts.remove(turn)?;
        let lanes = self.lanes.get_mut(&account)?;
        let lane = lanes.pop_front();
        if lanes.is_empty() {
            self.lanes.remove(&account);
        } else {
            self.accounts.push_back(account);
        }
        lane
    }

    /// Whether somebody waits who may have a turn.
    pub(crate) fn any(&self, may: impl Fn(&AccountId) -> bool) -> bool {
        self.accounts.iter().any(may)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_with_many_lanes_gets_no_more_turns_than_one_with_few() {
        let mut ring = Ring::default();
        let [busy, calm] = ["busy", "calm"].map(|name| AccountId::parse(name).unwrap());
        (1..=4).for_each(|lane| ring.push(&busy, LaneId(lane)));
        ring.push(&calm, LaneId(9));
        let mut order = Vec::new();
        for _ in 0..6 {
            let lane = ring.pop(|_| true).unwrap();
            order.push(lane.0);
            ring.push(if lane.0 == 9 { &calm } else { &busy }, lane);
        }
        assert_eq!(order, [1, 9, 2, 9, 3, 9]);
    }

    #[test]
    fn an_account_that_may_not_have_a_turn_keeps_its_place() {
        let mut ring = Ring::default();
        let [first, second] = ["first", "second"].map(|name| AccountId::parse(name).unwrap());
        ring.push(&first, LaneId(1));
        ring.push(&second, LaneId(2));
        assert_eq!(ring.pop(|account| *account == second), Some(LaneId(2)));
        assert_eq!(ring.pop(|account| *account == second), None);
        assert_eq!(ring.pop(|_| true), Some(LaneId(1)));
    }
}
