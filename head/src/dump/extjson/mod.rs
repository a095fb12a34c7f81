//! Extended JSON v2: raw BSON as text and back.
//!
//! For the metadata of dumps, and for people who name a document. Written is the canonical form, which says
//! the type of every number; read are the canonical and the relaxed form and the old way of writing binary
//! data. Order of fields, repeated fields and number types are kept. What the text cannot say is an error or
//! stated here: the payload and sign of a decimal NaN are lost, as in MongoDB's own tools, and a document
//! whose first field has the name of a type (`$oid`) comes back as a value of that type.
//!
//! `{"$regex": …}` and `{"$type": …}` are left as they are: they are query operators first of all.
//! Specification: <https://www.mongodb.com/docs/manual/reference/mongodb-extended-json/>.

mod date;
mod decimal;
mod double;
mod error;
mod lexer;
mod parse;
mod wrapper;
mod write;

#[cfg(test)]
mod tests;

pub use error::{JsonError, JsonProblem, WriteError};
pub use parse::parse_document;
pub use write::{write_document, write_string};
