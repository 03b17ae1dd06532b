//! `jwk-operator health`.

use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct HealthOptions {
    /// The URL to ask: /healthz or /readyz of an operator. The image has no shell and no other program that could ask it.
    #[arg(long, default_value = "http://127.0.0.1:8080/readyz", value_name = "URL")]
    url: String,
    /// How long to try, in seconds.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    timeout: u64,
}

/// Asks until the answer is 200.
pub(super) async fn ask(options: HealthOptions) -> anyhow::Result<()> {
    let mut client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5));
    if options.url.starts_with("http:") {
        // The system's certificates are not needed, and an image may have none.
        client = client.tls_certs_only([]);
    }
    let client = client.build().context("the request cannot be prepared")?;
    let ask = async || -> anyhow::Result<()> {
        let answer = client.get(&options.url).send().await.with_context(|| format!("{} does not answer", options.url))?;
        if answer.status() != 200 {
            bail!("{} answers {}", options.url, answer.status());
        }
        Ok(())
    };
    let deadline = tokio::time::Instant::now() + Duration::from_secs(options.timeout);
    while let Err(error) = ask().await {
        if tokio::time::Instant::now() >= deadline {
            return Err(error);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    println!("{} answers 200", options.url);
    Ok(())
}
