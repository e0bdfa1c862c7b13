//! The guides: how one part of the work around a block is done.

use std::fmt::Write;

use serde::Serialize;

use super::explain::where_to;
use super::page::{self, Block, Bullet, ours};
use crate::microsoft::{Guide, link};

/// The object of `--guide TOPIC --format json`, and of the list.
#[derive(Serialize)]
struct Guides<'g> {
    schema: &'static str,
    guides: Vec<&'g Guide>,
}

/// Guides as one object.
pub fn json(guides: Vec<&Guide>) -> serde_json::Result<String> {
    let mut text = serde_json::to_string_pretty(&Guides { schema: "eopwatch.guides/1", guides })?;
    text.push('\n');
    Ok(text)
}

/// A guide for people, wrapped to `width` columns.
pub fn text(guide: &Guide, width: usize) -> String {
    page::text(&document(guide), width)
}

/// A guide for tickets and wikis.
pub fn markdown(guide: &Guide) -> String {
    page::markdown(&document(guide))
}

/// What there is, a line each.
pub fn list_text(guides: &[Guide]) -> String {
    let mut out = String::new();
    for guide in guides {
        let _ = writeln!(out, "{:<18} {}", guide.id, guide.title);
    }
    out
}

/// The same as a list in Markdown.
pub fn list_markdown(guides: &[Guide]) -> String {
    let bullet = |guide: &Guide| Bullet::plain(format!("{}: {}", guide.id, guide.title));
    page::markdown(&[Block::Bullets("Guides", guides.iter().map(bullet).collect())])
}

fn document(guide: &Guide) -> Vec<Block> {
    let links = guide.links.iter().filter_map(|id| link(id));
    vec![
        Block::Title(2, ours(&guide.title)),
        Block::Paragraph(ours(&guide.about)),
        Block::Blank,
        Block::Bullets("Known", guide.facts.iter().map(Bullet::plain).collect()),
        Block::Numbered("Steps", guide.steps.iter().map(ours).collect()),
        Block::Bullets("Where", links.map(where_to).collect()),
        Block::Bullets("Sources", guide.sources.iter().map(Bullet::plain).collect()),
        Block::Named("Checked", ours(format!("{}, against these sources", guide.checked))),
    ]
}
