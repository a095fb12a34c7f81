//! Forms that were sent: taken from our own pages only, and from somebody who is logged in only with the token that the
//! page of the session carried.

use super::cookie;
use super::doors::Desk;
use super::person::Person;
use crate::actions::{Problem, Result};
use crate::page;
use axum::Form;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use std::collections::BTreeMap;
use std::str::FromStr;

/// What a form says.
#[derive(Clone, Default)]
pub(crate) struct Fields(BTreeMap<String, String>);

impl Fields {
    /// A field as it was typed; empty if it is not there.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// A field that is not empty, without spaces around it.
    pub(crate) fn filled(&self, name: &str) -> Option<&str> {
        Some(self.text(name).trim()).filter(|it| !it.is_empty())
    }

    /// Whether a box is ticked.
    pub(crate) fn is_ticked(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A number, if the field is filled.
    pub(crate) fn number<T: FromStr>(&self, name: &'static str) -> Result<Option<T>> {
        let parsed = self.filled(name).map(str::parse).transpose();
        parsed.map_err(|_| Problem::invalid(name, "it is not a number that fits"))
    }

    /// The words of a field that takes several.
    pub(crate) fn words(&self, name: &str) -> Vec<&str> {
        self.text(name).split([' ', ',', '\r', '\n', '\t']).filter(|it| !it.is_empty()).collect()
    }
}

/// A form from one of our own pages.
pub(crate) struct Posted {
    /// What it says.
    pub(crate) fields: Fields,
    /// Who sent it, if they are logged in.
    pub(crate) person: Option<Person>,
    /// Where it came from, as far as tries are counted.
    pub(crate) from: String,
    /// Whether that is this machine.
    pub(crate) is_from_here: bool,
}

impl FromRequest<Desk> for Posted {
    type Rejection = Response;

    async fn from_request(request: Request, desk: &Desk) -> Result<Self, Response> {
        let (head, body) = request.into_parts();
        let public_url = &desk.site.parts().public_url;
        if !cookie::is_own_origin(public_url, &head.headers) {
            let text = format!("This form did not come from {public_url}: open that address and try again.");
            return Err(page::error(StatusCode::FORBIDDEN, &text));
        }
        let person = Person::of(desk, &head).await?;
        let from = desk.doors.from(&head.extensions, &head.headers);
        let is_from_here = desk.doors.is_from_here(&head.extensions, &head.headers);
        let form =
            Form::<BTreeMap<String, String>>::from_request(Request::from_parts(head, body), desk).await;
        match form {
            Ok(Form(fields)) => Ok(Self { fields: Fields(fields), person, from, is_from_here }),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(page::error(StatusCode::PAYLOAD_TOO_LARGE, "The form is too large."))
            }
            Err(_) => Err(page::error(StatusCode::BAD_REQUEST, "The form cannot be read.")),
        }
    }
}

/// A form from a page of somebody who is logged in.
pub(crate) struct Order {
    /// What it says.
    pub(crate) fields: Fields,
    /// Who sent it.
    pub(crate) person: Person,
}

impl FromRequest<Desk> for Order {
    type Rejection = Response;

    async fn from_request(request: Request, desk: &Desk) -> Result<Self, Response> {
        let Posted { fields, person, .. } = Posted::from_request(request, desk).await?;
        let Some(person) = person else { return Err(Redirect::to("/login").into_response()) };
        if !person.has_token(fields.text("csrf")) {
            let text = "This form belongs to another session: go back, reload the page, and try again.";
            return Err(page::error(StatusCode::FORBIDDEN, text));
        }
        Ok(Self { fields, person })
    }
}
