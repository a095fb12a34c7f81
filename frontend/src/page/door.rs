//! Coming in and going out: login, logout, the first user, invitations.

use super::error::{Fault, Shown, error};
use super::render::{Top, page};
use crate::actions::Problem;
use crate::login::cookie;
use crate::login::doors::{Desk, Shut};
use crate::login::person::Person;
use crate::login::posted::{Fields, Order, Posted};
use askama::Template;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use tidemark_metadata::{Joining, Login, NewUser, Password, Purpose, TokenHash, User};

#[derive(Template)]
#[template(path = "door.html")]
struct DoorPage {
    top: Top,
    /// Where the form goes.
    action: String,
    /// What the button says.
    button: &'static str,
    /// What it is about.
    text: &'static str,
    /// What went wrong with the last try.
    problem: Option<String>,
    /// Whether somebody who is logged in can go on as who they are.
    as_known: bool,
    /// Whether there is a way to sign up.
    sign_up: bool,
    /// Whether somebody new chooses a password here.
    is_new: bool,
}

impl DoorPage {
    fn new(title: &str, action: &str, button: &'static str, text: &'static str) -> Self {
        let top = Top::of_nobody(title.to_owned());
        let action = action.to_owned();
        Self { top, action, button, text, problem: None, as_known: false, sign_up: false, is_new: true }
    }
}

const FIRST: &str = "Nobody is here yet: the first user owns the site.";
const ANYBODY: &str = "Choose a user name and a password. What you may see, owners of groups decide.";
const INVITED: &str = "You were invited to a group. Choose a user name and a password.";

fn login_page(desk: &Desk) -> DoorPage {
    let sign_up = desk.doors.is_sign_up_open();
    DoorPage { sign_up, is_new: false, ..DoorPage::new("Log in", "/login", "Log in", "") }
}

pub(super) async fn login(State(desk): State<Desk>) -> Shown {
    if desk.site.run(|site| site.metadata.is_new()).await? {
        return Ok(Redirect::to("/signup").into_response());
    }
    Ok(page(&login_page(&desk)))
}

pub(super) async fn enter(State(desk): State<Desk>, posted: Posted) -> Shown {
    let Posted { fields, from, .. } = posted;
    let doors = desk.doors.clone();
    let entered = desk.site.run(move |site| {
        let user = doors.enter(site, &from, fields.text("login").trim(), fields.text("password"))?;
        begin(site, &user).map_err(Shut::Failed)
    });
    let refusal = match entered.await {
        Ok(cookie) => return Ok(welcome(&cookie)),
        Err(Shut::Failed(error)) => return Err(error.into()),
        Err(Shut::Wrong) => (StatusCode::FORBIDDEN, "User name or password is wrong.".to_owned(), None),
        Err(Shut::Wait(wait)) => {
            let secs = wait.as_secs().max(1);
            let text = format!("Too many tries: wait {} minutes.", secs.div_ceil(60));
            (StatusCode::TOO_MANY_REQUESTS, text, Some(secs))
        }
    };
    let (status, problem, wait) = refusal;
    let mut response = page(&DoorPage { problem: Some(problem), ..login_page(&desk) });
    *response.status_mut() = status;
    if let Some(secs) = wait {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(secs));
    }
    Ok(response)
}

/// Begins a session; the cookie that carries it.
fn begin(site: &crate::site::Parts, user: &User) -> Result<String, tidemark_metadata::Error> {
    let now = site.clock.now();
    let token = site.with_entropy(|entropy| site.metadata.begin_session(user, now, entropy))?;
    Ok(cookie::set(&site.public_url, token.reveal()))
}

fn welcome(cookie: &str) -> Response {
    ([(header::SET_COOKIE, cookie.to_owned())], Redirect::to("/")).into_response()
}

pub(super) async fn leave(State(desk): State<Desk>, head: axum::http::HeaderMap, _: Order) -> Shown {
    let public_url = desk.site.parts().public_url.clone();
    if let Some(token) = cookie::shown(&public_url, &head) {
        desk.site.run(move |site| site.metadata.end_session(&token)).await?;
    }
    Ok(([(header::SET_COOKIE, cookie::set(&public_url, ""))], Redirect::to("/login")).into_response())
}

pub(super) async fn sign_up(State(desk): State<Desk>) -> Shown {
    let is_new = desk.site.run(|site| site.metadata.is_new()).await?;
    match (is_new, desk.doors.is_sign_up_open()) {
        (true, _) => Ok(page(&DoorPage::new("Sign up", "/signup", "Sign up", FIRST))),
        (false, true) => Ok(page(&DoorPage::new("Sign up", "/signup", "Sign up", ANYBODY))),
        (false, false) => {
            Ok(error(StatusCode::FORBIDDEN, "Sign-up is closed: ask an owner of a group for an invitation."))
        }
    }
}

pub(super) async fn join_first(State(desk): State<Desk>, posted: Posted) -> Shown {
    let Posted { fields, from, is_from_here, .. } = posted;
    let doors = desk.doors.clone();
    let joined = desk.site.run(move |site| {
        // Before anything is computed: who may not join costs nothing.
        let is_new = site.metadata.is_new()?;
        if !is_new && !doors.is_sign_up_open() {
            return Err(Problem::refused("sign-up is closed: ask an owner of a group for an invitation"));
        }
        if is_new && !is_from_here {
            return Err(Problem::refused(
                "the first user owns the installation, and signs up on its own machine: there, or through ssh -L, \
                 open this page again, or run tidemark admin add-user",
            ));
        }
        let new = new_user(&doors, site, &from, &fields)?;
        let now = site.clock.now();
        let user = site.with_entropy(|entropy| match is_new {
            true => site.metadata.sign_up_first(&new, now, entropy),
            false => site.metadata.sign_up(&new, now, entropy),
        })?;
        Ok(begin(site, &user)?)
    });
    Ok(welcome(&joined.await?))
}

fn new_user(
    doors: &crate::login::Doors,
    site: &crate::site::Parts,
    from: &str,
    fields: &Fields,
) -> Result<NewUser, Problem> {
    doors.knock(site, from)?;
    let login = Login::new(fields.text("login").trim())?;
    let password = Password::new(fields.text("password").to_owned())?;
    let password = doors.hasher().hash(&password, &mut SaltOf(site))?;
    Ok(NewUser { login, password })
}

/// Draws a salt without holding on to the randomness while a password is computed.
struct SaltOf<'s>(&'s crate::site::Parts);

impl tidemark_base::Entropy for SaltOf<'_> {
    fn fill(&mut self, buffer: &mut [u8]) {
        self.0.with_entropy(|entropy| entropy.fill(buffer));
    }
}

pub(super) async fn invitation(
    State(desk): State<Desk>,
    Path(token): Path<String>,
    request: axum::extract::Request,
) -> Result<Response, Response> {
    // It becomes part of the page: nothing that is no token does.
    if TokenHash::of(Purpose::Invitation, &token).is_none() {
        let text = "This invitation is wrong, used or has expired: ask for a new one.";
        return Ok(error(StatusCode::NOT_FOUND, text));
    }
    let (mut head, _) = request.into_parts();
    let person = Person::from_request_parts(&mut head, &desk).await.ok();
    let action = format!("/invitation/{token}");
    let mut shown = DoorPage::new("Invitation", &action, "Join", INVITED);
    if let Some(person) = person {
        shown.top = Top::of("Invitation", &person);
        shown.as_known = true;
    }
    Ok(page(&shown))
}

pub(super) async fn accept(
    State(desk): State<Desk>,
    Path(token): Path<String>,
    posted: Posted,
) -> Result<Response, Fault> {
    let Posted { fields, person, from, .. } = posted;
    let as_known = fields.is_ticked("asKnown");
    let doors = desk.doors.clone();
    let joined = desk.site.run(move |site| {
        let who = match person {
            Some(person) if as_known => {
                // As for every order of somebody who is logged in.
                if !person.has_token(fields.text("csrf")) {
                    return Err(Problem::refused("this form belongs to another session: reload the page"));
                }
                Joining::Known(person.actor.user)
            }
            _ => Joining::New(new_user(&doors, site, &from, &fields)?),
        };
        let now = site.clock.now();
        let user =
            site.with_entropy(|entropy| site.metadata.accept_invitation(&token, &who, now, entropy))?;
        Ok(begin(site, &user)?)
    });
    Ok(welcome(&joined.await?))
}
