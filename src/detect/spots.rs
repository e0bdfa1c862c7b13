//! What a source knows of the places that it sends to: found once for an attempt, which then asks a dozen things of each.

use foldhash::fast::FixedState;

use super::event::Place;
use super::key::Key;
use super::onset::Family;
use super::volume::{Minutes, Passes, Recent};
use crate::microsoft::Platform;

const FAMILIES: usize = Family::ALL.len();

/// One place.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    pub(super) place: Place,
    pub(super) passes: Passes,
    /// Of platforms and forests from the beginning, of the many domains once they were refused.
    series: Option<Box<Series>>,
}

/// What most domains never need; by family where it is several.
#[derive(Clone, Debug, Default)]
pub(super) struct Series {
    pub(super) minutes: Option<Minutes>,
    pub(super) recent: [Option<Recent>; FAMILIES],
    pub(super) keys: [Option<Box<Key>>; FAMILIES],
}

impl Spot {
    /// There are many of the kind, of which most are never refused.
    pub(super) fn is_many(&self) -> bool {
        matches!(self.place, Place::Domain(_) | Place::Sender(_))
    }

    pub(super) fn series(&self) -> Option<&Series> {
        self.series.as_deref()
    }

    pub(super) fn series_mut(&mut self) -> Option<&mut Series> {
        self.series.as_deref_mut()
    }

    /// Forgets the series.
    pub(super) fn end(&mut self) {
        self.series = None;
    }

    /// The series, which begin here where there are none.
    pub(super) fn begin(&mut self) -> &mut Series {
        self.series.get_or_insert_default()
    }
}

/// All places of a source. One is called by its number until places are forgotten.
#[derive(Clone, Debug, Default)]
pub(super) struct Spots {
    list: Vec<Spot>,
    index: std::collections::HashMap<Place, u32, FixedState>,
    /// The platforms' numbers, which each attempt asks for.
    platforms: [Option<u32>; Platform::ALL.len()],
}

impl Spots {
    /// The number of a place, known or new.
    pub(super) fn at(&mut self, place: Place) -> usize {
        if let Place::Platform(platform) = place
            && let Some(at) = self.platforms[platform as usize]
        {
            return at as usize;
        }
        if let Some(at) = self.index.get(&place) {
            return *at as usize;
        }
        let at = self.list.len() as u32;
        self.list.push(Spot { place, passes: Passes::default(), series: None });
        self.note(place, at);
        at as usize
    }

    fn note(&mut self, place: Place, at: u32) {
        self.index.insert(place, at);
        if let Place::Platform(platform) = place {
            self.platforms[platform as usize] = Some(at);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    fn series(&self, place: Place) -> Option<&Series> {
        self.list[*self.index.get(&place)? as usize].series()
    }

    pub(super) fn minutes(&self, place: Place) -> Option<&Minutes> {
        self.series(place)?.minutes.as_ref()
    }

    pub(super) fn recent(&self, family: Family, place: Place) -> Option<&Recent> {
        self.series(place)?.recent[family as usize].as_ref()
    }

    pub(super) fn key(&self, family: Family, place: Place) -> Option<&Key> {
        self.series(place)?.keys[family as usize].as_deref()
    }

    pub(super) fn key_mut(&mut self, family: Family, place: Place) -> Option<&mut Key> {
        self.list[*self.index.get(&place)? as usize].series_mut()?.keys[family as usize].as_deref_mut()
    }

    /// The keys of a family.
    pub(super) fn keys(&self, family: Family) -> impl Iterator<Item = (Place, &Key)> {
        self.list
            .iter()
            .filter_map(move |spot| Some((spot.place, spot.series()?.keys[family as usize].as_deref()?)))
    }

    pub(super) fn keys_mut(&mut self, family: Family) -> impl Iterator<Item = (Place, &mut Key)> {
        self.list.iter_mut().filter_map(move |spot| {
            let place = spot.place;
            Some((place, spot.series_mut()?.keys[family as usize].as_deref_mut()?))
        })
    }

    /// Forgets the places for which this is false.
    pub(super) fn retain(&mut self, keep: impl FnMut(&mut Spot) -> bool) {
        self.list.retain_mut(keep);
        self.index.clear();
        self.platforms = Default::default();
        for at in 0..self.list.len() {
            self.note(self.list[at].place, at as u32);
        }
    }
}

impl std::ops::Index<usize> for Spots {
    type Output = Spot;

    fn index(&self, at: usize) -> &Spot {
        &self.list[at]
    }
}

impl std::ops::IndexMut<usize> for Spots {
    fn index_mut(&mut self, at: usize) -> &mut Spot {
        &mut self.list[at]
    }
}
