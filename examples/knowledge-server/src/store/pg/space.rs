//! Whose vectors the tables hold: vectors of two models must never be compared.

use super::outcome;
use super::session::Session;
use crate::store::StoreError;

/// pgvector's index takes no more.
const MOST_DIMENSIONS: usize = 2000;

/// Makes the tables those of this model, if they are nobody's yet. Under the lock of the migrations.
pub(super) async fn settle(session: &Session, model: &str, dimensions: usize) -> Result<(), StoreError> {
    let row = session
        .query_opt("SELECT model, dimensions FROM embedding_space", &[])
        .await
        .map_err(|error| outcome::of_session(&error))?;
    let Some(row) = row else {
        return claim(session, model, dimensions).await;
    };
    let stored = row.try_get::<_, String>(0).and_then(|model| {
        let dimensions: i32 = row.try_get(1)?;
        Ok((model, usize::try_from(dimensions).unwrap_or_default()))
    });
    let (old_model, old_dimensions) = stored.map_err(|error| outcome::of_session(&error))?;
    if (old_model.as_str(), old_dimensions) == (model, dimensions) {
        return Ok(());
    }
    Err(StoreError::Mismatch(format!(
        "the database holds vectors of `{old_model}` ({old_dimensions} dimensions) and this server embeds with \
         `{model}` ({dimensions}): start it with `{old_model}`, give it another database, or empty this one with \
         `DROP TABLE papers, embedding_space, schema_migrations` and ingest again"
    )))
}

async fn claim(session: &Session, model: &str, dimensions: usize) -> Result<(), StoreError> {
    // A number that was checked, where SQL takes no parameter.
    let typed = format!("ALTER TABLE papers ALTER COLUMN embedding TYPE vector({dimensions})");
    let dimensions = i32::try_from(dimensions).unwrap_or(i32::MAX);
    let claimed = async {
        session.batch_execute("BEGIN").await?;
        session.batch_execute(&typed).await?;
        session
            .execute(
                "INSERT INTO embedding_space (model, dimensions) VALUES ($1, $2)",
                &[&model, &dimensions],
            )
            .await?;
        session.batch_execute("COMMIT").await
    };
    claimed.await.map_err(|error| outcome::of_session(&error))
}

pub(super) fn check_dimensions(dimensions: usize) -> Result<(), StoreError> {
    if (1..=MOST_DIMENSIONS).contains(&dimensions) {
        return Ok(());
    }
    Err(StoreError::Mismatch(format!(
        "vectors of {dimensions} dimensions cannot be indexed, {MOST_DIMENSIONS} are the most: ask the model for \
         fewer"
    )))
}

pub(super) fn check_vector(vector: &[f32], dimensions: usize) -> Result<(), StoreError> {
    let wrong = match vector.len() {
        len if len != dimensions => format!("a vector has {len} dimensions, the table's have {dimensions}"),
        _ if !vector.iter().all(|number| number.is_finite()) => {
            "a vector has a number without end".to_owned()
        }
        _ => return Ok(()),
    };
    Err(StoreError::Mismatch(wrong))
}
