-- The peer "PostgreSQL": the two steps as PL/pgSQL functions, as one who knows PostgreSQL writes them. An account per
-- tenant, a row per reservation (which remembers both ids and what they asked), and an append-only history.
--
-- In its favour: ids are 128 bits as two bigints, which compare and hash faster than uuid; the ids of one run rise, so
-- the index grows at its end; prices are constants; there is one balance per tenant and no grants.

CREATE TABLE accounts (
    tenant    integer PRIMARY KEY,
    available bigint  NOT NULL CHECK (available >= 0),
    held      bigint  NOT NULL,
    sequence  bigint  NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE reservations (
    id_high          bigint      NOT NULL,
    id_low           bigint      NOT NULL,
    tenant           integer     NOT NULL,
    state            smallint    NOT NULL,
    feature          text        NOT NULL,
    context_tokens   bigint      NOT NULL,
    generated_tokens bigint      NOT NULL,
    asked            bigint      NOT NULL,
    committed        bigint      NOT NULL DEFAULT 0,
    commit_high      bigint,
    commit_low       bigint,
    created          timestamptz NOT NULL,
    closed           timestamptz,
    PRIMARY KEY (id_high, id_low)
) WITH (fillfactor = 80);

CREATE TABLE entries (
    tenant    integer     NOT NULL,
    sequence  bigint      NOT NULL,
    kind      smallint    NOT NULL,
    id_high   bigint      NOT NULL,
    id_low    bigint      NOT NULL,
    amount    bigint      NOT NULL,
    available bigint      NOT NULL,
    at        timestamptz NOT NULL,
    PRIMARY KEY (tenant, sequence)
);

-- The price of Tollgate's default catalog.
CREATE FUNCTION price(context_tokens bigint, generated_tokens bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT context_tokens * 1000 + generated_tokens * 5000 $$;

-- The account is touched last, so that its lock is held over nothing but the write of the history and the sync.
CREATE FUNCTION reserve(
    p_tenant integer, p_high bigint, p_low bigint, p_feature text, p_context bigint, p_generated bigint,
    OUT state integer, OUT amount bigint, OUT available bigint, OUT replayed integer
) LANGUAGE plpgsql AS $$
DECLARE
    v_asked    bigint := price(p_context, p_generated);
    v_now      timestamptz := clock_timestamp();
    v_sequence bigint;
    v_known    reservations;
BEGIN
    INSERT INTO reservations (id_high, id_low, tenant, state, feature, context_tokens, generated_tokens, asked, created)
    VALUES (p_high, p_low, p_tenant, 1, p_feature, p_context, p_generated, v_asked, v_now)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        SELECT * INTO v_known FROM reservations r WHERE r.id_high = p_high AND r.id_low = p_low;
        IF (v_known.tenant, v_known.feature, v_known.context_tokens, v_known.generated_tokens)
            IS DISTINCT FROM (p_tenant, p_feature, p_context, p_generated) THEN
            RAISE EXCEPTION 'ID_REUSED';
        END IF;
        SELECT v_known.state, v_known.asked, a.available, 1 INTO state, amount, available, replayed
        FROM accounts a WHERE a.tenant = p_tenant;
        RETURN;
    END IF;
    UPDATE accounts a SET available = a.available - v_asked, held = a.held + v_asked, sequence = a.sequence + 1
    WHERE a.tenant = p_tenant AND a.available >= v_asked
    RETURNING a.available, a.sequence INTO available, v_sequence;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'INSUFFICIENT_CREDITS';
    END IF;
    INSERT INTO entries VALUES (p_tenant, v_sequence, 1, p_high, p_low, v_asked, available, v_now);
    state := 1;
    amount := v_asked;
    replayed := 0;
END $$;

CREATE FUNCTION commit_reservation(
    p_tenant integer, p_high bigint, p_low bigint, p_commit_high bigint, p_commit_low bigint, p_context bigint,
    p_generated bigint,
    OUT state integer, OUT amount bigint, OUT available bigint, OUT replayed integer
) LANGUAGE plpgsql AS $$
DECLARE
    v_used     bigint := price(p_context, p_generated);
    v_now      timestamptz := clock_timestamp();
    v_sequence bigint;
    v_asked    bigint;
    v_known    reservations;
BEGIN
    UPDATE reservations r
    SET state = 2, committed = v_used, commit_high = p_commit_high, commit_low = p_commit_low, closed = v_now
    WHERE r.id_high = p_high AND r.id_low = p_low AND r.tenant = p_tenant AND r.state = 1
    RETURNING r.asked INTO v_asked;
    IF NOT FOUND THEN
        SELECT * INTO v_known FROM reservations r WHERE r.id_high = p_high AND r.id_low = p_low AND r.tenant = p_tenant;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'RESERVATION_NOT_FOUND';
        ELSIF (v_known.commit_high, v_known.commit_low, v_known.committed)
            IS DISTINCT FROM (p_commit_high, p_commit_low, v_used) THEN
            RAISE EXCEPTION 'RESERVATION_CLOSED';
        END IF;
        SELECT v_known.state, v_known.committed, a.available, 1 INTO state, amount, available, replayed
        FROM accounts a WHERE a.tenant = p_tenant;
        RETURN;
    END IF;
    UPDATE accounts a
    SET available = a.available + v_asked - v_used, held = a.held - v_asked, sequence = a.sequence + 1
    WHERE a.tenant = p_tenant AND a.available + v_asked >= v_used
    RETURNING a.available, a.sequence INTO available, v_sequence;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'INSUFFICIENT_CREDITS';
    END IF;
    INSERT INTO entries VALUES (p_tenant, v_sequence, 2, p_high, p_low, v_used, available, v_now);
    state := 2;
    amount := v_used;
    replayed := 0;
END $$;

INSERT INTO accounts SELECT tenant, 4000000000000000000, 0, 0 FROM generate_series(1, :tenants) AS tenant;
