//! Restores: prepared by the service, fetched by HTTPS, drunk by the stock mongorestore.

use super::{Installation, Result, wait_for};
use crate::live::tools::{Target, command};
use crate::parts::Part;
use serde_json::{Value, json};
use std::io;
use std::process::Stdio;
use std::time::Duration;

/// Restores what is wished for (`{"snapshotId": ..}` or `{"timestamp": ..}`) into a server. Returns the length of the
/// archive in bytes.
///
/// # Errors
/// If the restore fails, or mongorestore does, with what it said.
pub fn restore_into(installation: &Installation, set: &str, wish: &Value, target: &Target) -> Result<u64> {
    let api = &installation.api;
    let jobs = format!("/groups/{}/clusters/{set}/restoreJobs", installation.group);
    let made = api.post(&jobs, wish)?;
    let id = made.pointer("/results/0/id").and_then(Value::as_str).ok_or("a restore without an id")?;
    let job = format!("{jobs}/{id}");
    wait_for("a restore to be prepared", Duration::from_secs(600), || {
        let now = api.get(&job)?;
        match now.get("statusName").and_then(Value::as_str) {
            Some("FINISHED") => Ok(Some(())),
            Some("IN_PROGRESS") => Ok(None),
            _ => Err(format!("the restore failed: {now}").into()),
        }
    })?;
    let link = api.post(&format!("{job}/links"), &json!({"maxDownloads": 1}))?;
    let url = link.get("url").and_then(Value::as_str).ok_or("a link without a URL")?;
    let mut archive = api.fetch(url)?;
    let mut restore = command(Part::Mongorestore, target, &["--archive"])?;
    let mut restore = restore.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut stdin = restore.stdin.take().ok_or("mongorestore has no input")?;
    // It says more than a pipe holds only if it is given thousands of collections.
    let copied = io::copy(&mut archive, &mut stdin);
    drop(stdin);
    let output = restore.wait_with_output()?;
    if !output.status.success() {
        return Err(format!("mongorestore: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(copied?)
}
