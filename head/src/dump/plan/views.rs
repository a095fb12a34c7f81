//! Views: documents of `system.views`, which a dump holds as metadata.

use super::{BUCKETS, Documents, Entry, Inventory, LeftOut, Why, why_not};
use crate::dump::part::shown;
use crate::dump::{Kind, Namespace, Part};
use tidemark_base::bson::{Doc, DocWriter, Element};
use tidemark_oplog::names::Namespace as Name;

/// What a document of `system.views` means for a dump.
pub(super) enum Found {
    View(Entry),
    /// It is the face of a time-series collection that is there.
    TimeSeries,
    LeftOut(LeftOut),
}

pub(super) fn entry(inventory: &Inventory<'_>, database: &str, document: &[u8]) -> Found {
    let field = |name| Doc::new(document).ok()?.get(name).ok()?;
    let id = field("_id").and_then(Element::as_str);
    let broken = || {
        // It may be no name at all.
        let namespace = shown(database, &format!("system.views: {}", id.unwrap_or("(no name)")));
        Found::LeftOut(LeftOut { namespace, why: Why::BrokenView })
    };
    let name = id.and_then(|it| Name::parse(it).ok()).filter(|it| it.database() == database);
    let view_on = field("viewOn").and_then(Element::as_str);
    let (Some(name), Some(view_on)) = (name, view_on) else { return broken() };
    if view_on.strip_prefix(BUCKETS) == Some(name.collection()) {
        let mut collections = inventory.collections.iter();
        let is_there = collections.any(|(_, it)| it.database == database && it.name == view_on);
        return if is_there { Found::TimeSeries } else { broken() };
    }
    if let Some(why) = why_not(database, name.collection()) {
        return Found::LeftOut(LeftOut { namespace: shown(database, name.collection()), why });
    }
    let Some(pipeline) = field("pipeline").filter(|it| it.as_array().is_some()) else { return broken() };
    let mut options = Vec::new();
    let mut w = DocWriter::new(&mut options);
    let open = w.begin();
    w.string(b"viewOn", view_on.as_bytes());
    w.element(pipeline);
    if let Some(collation) = field("collation") {
        w.element(collation);
    }
    w.end(open);
    let mut namespace = Namespace::bare(database, name.collection());
    namespace.kind = Kind::View;
    namespace.options = options;
    Found::View(Entry { part: Part::of(namespace), documents: Documents::None })
}
