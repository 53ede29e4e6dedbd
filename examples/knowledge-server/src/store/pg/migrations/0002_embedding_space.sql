-- Whose vectors these are: vectors of two models must never be compared.
CREATE TABLE embedding_space (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    model text NOT NULL,
    dimensions integer NOT NULL
)
