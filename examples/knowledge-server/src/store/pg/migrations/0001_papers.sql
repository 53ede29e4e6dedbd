-- The type of `embedding` gets its dimensions with the first model: see `embedding_space`.
CREATE EXTENSION IF NOT EXISTS vector;

CREATE TABLE papers (
    id text PRIMARY KEY,
    title text NOT NULL,
    authors text[] NOT NULL,
    year integer NOT NULL,
    venue text NOT NULL,
    summary text NOT NULL,
    url text,
    content_hash text NOT NULL,
    embedding vector NOT NULL
)
