//! Whether the contenders that are compared give the same answers.

use serde_json::Value;

use super::Failure;
use super::contenders::{Contender, Work};
use super::load::Client;

/// Fails unless every contender gives what the others of its work give, but for the time in it and the order of members.
pub(crate) async fn check(contenders: &[Contender], sizes: &[usize]) -> Result<(), Failure> {
    for &size in sizes {
        for work in [Work::PassThrough, Work::Translate] {
            let mut first: Option<(&str, Value)> = None;
            for contender in contenders.iter().filter(|contender| contender.work == work) {
                let answer = answer(contender, size).await.map_err(|e| format!("{}: {e}", contender.name))?;
                match &first {
                    Some((name, wanted)) if *wanted != answer => {
                        return Err(format!("{} and {name} answer {size} bytes differently", contender.name).into());
                    }
                    Some(_) => {}
                    None => first = Some((contender.name, answer)),
                }
            }
        }
    }
    Ok(())
}

async fn answer(contender: &Contender, size: usize) -> Result<Value, Failure> {
    let body = Client::fetch(contender.address, contender.version, size).await?;
    let mut answer: Value = serde_json::from_slice(&body)?;
    if contender.work == Work::Translate {
        let time = answer.pointer_mut("/meta/timestamp").ok_or("an answer without a time")?;
        *time = Value::Null;
    }
    Ok(answer)
}
