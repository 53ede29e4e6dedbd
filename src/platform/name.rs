//! From text to platforms: names, the nearest name, and limits that were set beside a name.

use std::str::FromStr;

use super::limit::{Limit, parse_duration};
use super::row::Platform;
use crate::error::ConfigError;

/// The name of a platform of which nothing is known, whose limits stand beside it.
const CUSTOM: &str = "custom";

impl FromStr for Platform {
    type Err = ConfigError;

    /// Reads `nginx`, `nginx(read=300s)`, `aws-alb(idle=300 keep_alive=300)`, or `custom(first_byte=20 idle=90)`.
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let text = text.trim();
        let (name, settings) = text.split_once('(').unwrap_or((text, ")"));
        let Some(settings) = settings.strip_suffix(')') else {
            return Err(ConfigError::new(format!(
                "`{text}` has a parenthesis that does not close: write `nginx(first_byte=300s idle=300s)`"
            )));
        };
        let platform = if plain(name) == CUSTOM {
            Self::custom(CUSTOM)
        } else {
            find(name)?
        };
        settings.split_whitespace().try_fold(platform, set)
    }
}

fn set(platform: Platform, setting: &str) -> Result<Platform, ConfigError> {
    let Some((limit, duration)) = setting.split_once('=') else {
        return Err(ConfigError::new(format!(
            "`{setting}` sets no limit of {}: write `idle=300s`",
            platform.name()
        )));
    };
    let duration = parse_duration(duration)?;
    if limit == "read" {
        return Ok(platform
            .set(Limit::FirstByte, duration)
            .set(Limit::Idle, duration));
    }
    Ok(platform.set(limit.parse()?, duration))
}

pub(super) fn find(name: &str) -> Result<Platform, ConfigError> {
    let wanted = plain(name);
    if let Some(row) = Platform::ALL.iter().find(|row| row.name() == wanted) {
        return Ok(*row);
    }
    let names: Vec<&str> = Platform::ALL.iter().map(Platform::name).collect();
    let known = names.join(", ");
    let hint = match names.iter().min_by_key(|known| distance(known, &wanted)) {
        Some(nearest) if is_near(nearest, &wanted) => format!("; did you mean `{nearest}`?"),
        _ => ".".to_owned(),
    };
    Err(ConfigError::new(format!(
        "`{}` is no platform that this version knows{hint} Known are: {known}. For any other, name its limits: \
         `custom(first_byte=30s idle=60s)`",
        name.trim()
    )))
}

fn plain(name: &str) -> String {
    name.trim().to_ascii_lowercase().replace(['_', ' '], "-")
}

/// A part of a name is as near as a name with a slip: `alb` means `aws-alb`.
fn is_near(known: &str, wanted: &str) -> bool {
    distance(known, wanted) <= known.len() / 3
}

/// How many letters have to change to make one of the other; none where one is a whole part of the other.
fn distance(known: &str, wanted: &str) -> usize {
    if wanted.len() > 1
        && (known.split('-').any(|part| part == wanted) || wanted.split('-').any(|part| part == known))
    {
        return 0;
    }
    let mut row: Vec<usize> = (0..=wanted.len()).collect();
    for (i, a) in known.bytes().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, b) in wanted.bytes().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[wanted.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_however_they_are_written() {
        for name in ["aws-alb", "AWS-ALB", " Aws_Alb ", "aws alb"] {
            assert_eq!(Platform::by_name(name), Ok(Platform::AWS_ALB));
        }
    }

    #[test]
    fn an_unknown_name_hears_of_the_nearest_and_of_all() {
        let cases = [
            ("herku", "heroku"),
            ("nginxx", "nginx"),
            ("alb", "aws-alb"),
            ("cloud-run", "gcp-cloud-run"),
            ("clodflare", "cloudflare"),
        ];
        for (wrong, near) in cases {
            let sentence = Platform::by_name(wrong).unwrap_err().to_string();
            assert!(
                sentence.contains(&format!("did you mean `{near}`?")),
                "{sentence}"
            );
            assert!(
                Platform::ALL.iter().all(|row| sentence.contains(row.name())),
                "{sentence}"
            );
        }
        let sentence = Platform::by_name("zzzzzzzz").unwrap_err().to_string();
        assert!(!sentence.contains("did you mean"), "{sentence}");
    }

    #[test]
    fn limits_beside_a_name_replace_the_rows() {
        let read: Platform = "nginx(read=300s keep_alive=none)".parse().unwrap();
        let five_minutes = "5m";
        assert_eq!(
            read,
            format!("nginx(first_byte={five_minutes} idle=300 keep_alive=0)")
                .parse()
                .unwrap()
        );
        assert_eq!(
            read.to_string(),
            "nginx(first_byte=300s idle=300s keep_alive=none)"
        );
        assert_eq!(Platform::NGINX.to_string(), "nginx");
        assert_eq!("nginx()".parse(), Ok(Platform::NGINX));
        let custom: Platform = "Custom(first_byte=20 idle=1500ms)".parse().unwrap();
        assert_eq!(custom.to_string(), "custom(first_byte=20s idle=1500ms)");
        assert_eq!(custom.to_string().parse(), Ok(custom));
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_a_sentence() {
        let cases = [
            ("nginx(idle=300", "does not close"),
            ("nginx(idle)", "sets no limit of nginx"),
            ("nginx(idel=3)", "no limit of a platform"),
            ("nginx(idle=soon)", "no duration"),
            ("(idle=3)", "no platform"),
            ("", "no platform"),
        ];
        for (text, word) in cases {
            let sentence = text.parse::<Platform>().unwrap_err().to_string();
            assert!(sentence.contains(word), "{text}: {sentence}");
        }
    }
}
