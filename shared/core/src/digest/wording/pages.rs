//! Pieces into parts: as many in each as fit, the headings above them repeated.
//!
//! Promise: no part is over its room, and there are [`MOST_PARTS`] at most; what has no room is counted.

use std::ops::Add;

use super::{Language, Style, folded};
use crate::{
    channel::{Limit, Unit},
    render::{boundaries, length},
};

/// Nobody reads more.
const MOST_PARTS: usize = 20;

/// Mail clients hide what is longer, and a queue takes 256 KB.
const MOST_BYTES: usize = 100_000;

/// Parts that are being filled.
pub(super) struct Pages<'a> {
    pub(super) style: &'a dyn Style,
    pub(super) language: Language,
    room: Room,
    /// Those that are full.
    full: Vec<Page>,
    page: Page,
    /// The task that was told of last: its place in its site, and the site's.
    told: Option<(usize, usize)>,
    /// How many lines are in no part.
    left_out: u64,
}

/// One part.
#[derive(Default)]
struct Page {
    pieces: Vec<Piece>,
    size: Size,
    /// The headings that the next piece stands below.
    below: Option<(usize, usize)>,
}

/// What is never torn: a line, or a note, with the headings that it needs.
struct Piece {
    text: String,
    size: Size,
    /// How many lines of the digest it tells.
    lines: u64,
}

/// Below which headings something stands.
pub(super) struct Place<'a> {
    /// Counts the sites.
    pub(super) site: usize,
    pub(super) site_name: Option<&'a str>,
    /// Counts the tasks of a site, from 1.
    pub(super) task: usize,
    pub(super) task_name: &'a str,
    /// What is counted of it.
    pub(super) counted: String,
}

#[derive(Debug, Clone, Copy, Default)]
struct Size {
    bytes: usize,
    /// In the provider's unit.
    units: usize,
}

impl Add for Size {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { bytes: self.bytes + other.bytes, units: self.units + other.units }
    }
}

/// How much fits.
#[derive(Debug, Clone, Copy)]
struct Room {
    most: Size,
    unit: Unit,
}

impl Room {
    fn of(limit: Option<Limit>, style: &dyn Style) -> Self {
        let limit = limit.unwrap_or(Limit { max: MOST_BYTES, unit: Unit::Bytes });
        let (before, behind) = style.around();
        let around = before.len() + behind.len(); // of one byte and one unit each
        let most = Size { bytes: MOST_BYTES.saturating_sub(around), units: limit.max.saturating_sub(around) };
        Self { most, unit: limit.unit }
    }

    fn size(self, text: &str) -> Size {
        Size { bytes: text.len(), units: length(text, self.unit) }
    }

    fn holds(self, size: Size) -> bool {
        size.bytes <= self.most.bytes && size.units <= self.most.units
    }

    fn without(self, size: Size) -> Self {
        let most = Size { bytes: self.most.bytes.saturating_sub(size.bytes), units: self.most.units.saturating_sub(size.units) };
        Self { most, ..self }
    }

    fn quarter(self) -> Self {
        Self { most: Size { bytes: self.most.bytes / 4, units: self.most.units / 4 }, ..self }
    }

    /// A piece that tells those words, or as many of them as there is room for.
    fn fit(self, words: &str, piece: impl Fn(&str) -> String) -> Option<String> {
        let whole = piece(words);
        if self.holds(self.size(&whole)) {
            return Some(whole);
        }
        let ends: Vec<_> = boundaries(words).collect();
        let (mut fitting, mut over, mut best) = (0_usize, ends.len(), None);
        while let Some(end) = ends.get(fitting.midpoint(over)).filter(|_| fitting < over) {
            let short = piece(&format!("{}…", words.get(..*end).unwrap_or_default().trim_end()));
            if self.holds(self.size(&short)) {
                (best, fitting) = (Some(short), fitting.midpoint(over) + 1);
            } else {
                over = fitting.midpoint(over);
            }
        }
        best
    }
}

impl<'a> Pages<'a> {
    pub(super) fn new(style: &'a dyn Style, language: Language, limit: Option<Limit>) -> Self {
        let room = Room::of(limit, style);
        Self { style, language, room, full: Vec::new(), page: Page::default(), told: None, left_out: 0 }
    }

    /// Puts a piece behind all others, shortened if not even a part of its own has room for it. `piece` writes its words.
    pub(super) fn add(&mut self, place: Option<&Place>, lines: u64, words: &str, piece: impl Fn(&str) -> String) {
        if self.is_over() {
            self.left_out += lines;
            return;
        }
        let above = place.map(|place| self.headings(place)).unwrap_or_default();
        let room = self.room.without(self.page.size).without(self.room.size(&above));
        let whole = piece(words);
        let text = if room.holds(self.room.size(&whole)) {
            Some(whole)
        } else if self.page.pieces.is_empty() {
            room.fit(words, piece)
        } else {
            self.full.push(std::mem::take(&mut self.page));
            return self.add(place, lines, words, piece);
        };
        let Some(text) = text else {
            self.left_out += lines;
            return;
        };
        self.put(above + &text, lines);
        let below = place.map(|place| (place.site, place.task));
        (self.page.below, self.told) = (below, below);
    }

    /// The parts, at least one, and how many lines are in none of them.
    pub(super) fn end(mut self) -> (Vec<String>, u64) {
        if !self.page.pieces.is_empty() && !self.is_over() {
            self.full.push(std::mem::take(&mut self.page));
        }
        self.page = self.full.pop().unwrap_or_default();
        if self.left_out > 0 {
            self.own_up();
        }
        let (before, behind) = self.style.around();
        let written = |page: &Page| {
            let text: String = page.pieces.iter().map(|piece| piece.text.as_str()).collect();
            if text.is_empty() { text } else { format!("{before}{}{behind}", text.trim_matches('\n')) }
        };
        (self.full.iter().chain([&self.page]).map(written).collect(), self.left_out)
    }

    /// Says at the end of the last part how many lines are in none, for which lines may have to go.
    fn own_up(&mut self) {
        loop {
            let (rest, words) = (self.room.without(self.page.size), self.language.not_shown(self.left_out));
            let note = self.style.note(&words);
            if rest.holds(self.room.size(&note)) {
                return self.put(note, 0);
            }
            let Some(piece) = self.page.pieces.pop() else {
                return rest.fit(&words, |words| self.style.note(words)).into_iter().for_each(|note| self.put(note, 0));
            };
            self.page.size = self.page.pieces.iter().fold(Size::default(), |size, piece| size + piece.size);
            self.left_out += piece.lines;
        }
    }

    fn is_over(&self) -> bool {
        self.full.len() == MOST_PARTS
    }

    fn put(&mut self, text: String, lines: u64) {
        let size = self.room.size(&text);
        self.page.size = self.page.size + size;
        self.page.pieces.push(Piece { text, size, lines });
    }

    /// Those that are not above the next piece already, each in a quarter of a part at most.
    fn headings(&self, place: &Place) -> String {
        let (here, language, style) = (Some((place.site, place.task)), self.language, self.style);
        if self.page.below == here {
            return String::new();
        }
        let is_in_site = |other: Option<(usize, usize)>| other.is_some_and(|(site, _)| site == place.site);
        let again = |is_so: bool| if is_so { language.continued() } else { "" };
        let room = self.room.quarter();
        let of_site = place.site_name.filter(|_| !is_in_site(self.page.below)).and_then(|name| {
            let name = if name.is_empty() { language.no_site() } else { &folded(name) };
            room.fit(name, |name| style.site(&format!("{name}{}", again(is_in_site(self.told)))))
        });
        let of_task = room.fit(&folded(place.task_name), |name| {
            style.task(place.task, &format!("{name}{}", again(self.told == here)), &place.counted, of_site.is_some())
        });
        of_site.unwrap_or_default() + &of_task.unwrap_or_default()
    }
}
