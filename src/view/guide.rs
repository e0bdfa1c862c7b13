//! Captions beside a story that is told: what happens in it, and which key to try. They move on with the story's own
//! time, which is that of the newest line, and with what the user does.

use super::keys::{Action, Keymap};

/// How long a tip stays at least that nobody follows, in seconds of the story, though the next one may come.
const PATIENCE: i64 = 2 * 3600;

/// Something to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Unix seconds of the story from which it makes sense.
    pub from: i64,
    /// `{name}` stands for the key of an action.
    pub text: String,
    /// Actions by name; any of them will do.
    pub does: Vec<String>,
}

/// The captions and how far they are.
#[derive(Clone, Debug, Default)]
pub struct Guide {
    /// What happens, and from when on (Unix seconds).
    captions: Vec<(i64, String)>,
    tips: Vec<Tip>,
    now: i64,
    /// Number of the tip that is shown, and since when.
    at: usize,
    since: i64,
    done: bool,
}

impl Guide {
    /// Captions and tips in the order of their times.
    pub fn new(captions: Vec<(i64, String)>, tips: Vec<Tip>) -> Self {
        let since = tips.first().map_or(0, |tip| tip.from);
        Self { captions, tips, since, ..Self::default() }
    }

    /// When the first caption with these words begins.
    #[cfg(test)]
    pub(crate) fn time_of(&self, words: &str) -> Option<i64> {
        self.captions.iter().find(|(_, text)| text.contains(words)).map(|(at, _)| *at)
    }

    /// The story has come to this second.
    pub(super) fn tick(&mut self, now: i64) {
        self.now = now;
        while let Some(next) = self.tips.get(self.at + 1) {
            // Who needs long is not left behind where the story has gone on.
            let is_over = self.done || now - self.since >= PATIENCE;
            if now < next.from || !is_over {
                return;
            }
            self.since = if self.done { now } else { (self.since + PATIENCE).max(next.from) };
            self.at += 1;
            self.done = false;
        }
    }

    /// The user did something. The last tip stays.
    pub(super) fn did(&mut self, action: Action, keymap: &Keymap) {
        let is_it = |name: &String| keymap.action_of(name) == Some(action);
        let is_last = self.at + 1 == self.tips.len();
        if !is_last && self.tips.get(self.at).is_some_and(|tip| tip.does.iter().any(is_it)) {
            self.done = true;
            self.tick(self.now);
        }
    }

    /// What happens.
    pub(super) fn caption(&self) -> &str {
        let seen = self.captions.iter().rev().find(|(from, _)| *from <= self.now);
        seen.or(self.captions.first()).map_or("", |(_, text)| text)
    }

    /// What to try, in pieces: a text, and whether it is a key. Nothing where the last tip was followed and the next
    /// has to wait.
    pub(super) fn tip(&self, keymap: &Keymap) -> Vec<(String, bool)> {
        let Some(tip) = self.tips.get(self.at).filter(|_| !self.done) else { return Vec::new() };
        let mut parts = Vec::new();
        for piece in tip.text.split_inclusive('}') {
            match piece.strip_suffix('}').and_then(|p| p.split_once('{')) {
                Some((before, name)) => {
                    parts.push((before.to_owned(), false));
                    parts.push((keymap.arrow_or_label(name), true));
                }
                None => parts.push((piece.to_owned(), false)),
            }
        }
        parts.retain(|(text, _)| !text.is_empty());
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guide() -> Guide {
        let tip = |from, text: &str, does: &str| Tip { from, text: text.into(), does: vec![does.into()] };
        let tips = vec![
            tip(0, "{down} selects", "down"),
            tip(0, "{lines} shows lines", "lines"),
            tip(9_000, "{help} helps", "help"),
        ];
        Guide::new(vec![(0, "quiet".into()), (500, "a block".into())], tips)
    }

    fn shown(guide: &Guide) -> String {
        guide.tip(&Keymap::default()).into_iter().map(|(text, _)| text).collect()
    }

    #[test]
    fn tips_move_on_when_they_are_followed() {
        let mut guide = guide();
        guide.tick(100);
        assert_eq!((guide.caption(), shown(&guide).as_str()), ("quiet", "↓ selects"));
        let keymap = Keymap::default();
        guide.did(Action::Lines, &keymap);
        assert_eq!(shown(&guide), "↓ selects", "that was not asked for");
        guide.did(Action::Down, &keymap);
        assert_eq!(shown(&guide), "L shows lines");
        guide.did(Action::Lines, &keymap);
        assert_eq!(shown(&guide), "", "the next one waits for the story");
        guide.tick(9_000);
        assert_eq!((guide.caption(), shown(&guide).as_str()), ("a block", "? helps"));
    }

    #[test]
    fn tips_move_on_with_the_story() {
        let mut guide = guide();
        guide.tick(PATIENCE - 1);
        assert_eq!(shown(&guide), "↓ selects");
        guide.tick(PATIENCE);
        assert_eq!(shown(&guide), "L shows lines");
        guide.tick(2 * PATIENCE);
        assert_eq!(shown(&guide), "? helps");
        guide.tick(99 * PATIENCE);
        assert_eq!(shown(&guide), "? helps", "the last one stays");
    }
}
