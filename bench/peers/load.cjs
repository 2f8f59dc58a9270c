// load.cjs - nodes.csv and edges.csv into DuckDB or Kuzu, for bench/load. Prints the milliseconds from opening an empty database
// until it is closed, checkpointed; the start of Node itself is not in them.
//
//     node load.cjs duckdb|kuzu MODULES FOLDER DATABASE
const [, , peer, modules, folder, database] = process.argv;
const load = (name) => require(require.resolve(name, { paths: [modules] }));
const milliseconds = () => Number(process.hrtime.bigint()) / 1e6;

async function duckdb() {
    const { DuckDBInstance } = load("@duckdb/node-api");
    const from = milliseconds();
    const instance = await DuckDBInstance.create(database), connection = await instance.connect();
    for (const statement of [
        "CREATE TABLE n(id BIGINT PRIMARY KEY, name VARCHAR, age BIGINT, city VARCHAR, score DOUBLE, created BIGINT)",
        "CREATE TABLE e(src BIGINT, dst BIGINT, w BIGINT)",
        `COPY n FROM '${folder}/nodes.csv' (HEADER)`,
        `COPY e FROM '${folder}/edges.csv' (HEADER)`,
        "CREATE INDEX e_src ON e(src)",
        "CREATE INDEX e_dst ON e(dst)",
        "CHECKPOINT",
    ])
        await connection.run(statement);
    connection.closeSync();
    instance.closeSync();
    return milliseconds() - from;
}

async function kuzu() {
    const { Database, Connection } = load("kuzu");
    const from = milliseconds();
    const instance = new Database(database), connection = new Connection(instance);
    await instance.init();
    await connection.init();
    for (const statement of [
        "CREATE NODE TABLE N(id INT64 PRIMARY KEY, name STRING, age INT64, city STRING, score DOUBLE, created INT64)",
        "CREATE REL TABLE E(FROM N TO N, w INT64)",
        `COPY N FROM '${folder}/nodes.csv' (header=true)`,
        `COPY E FROM '${folder}/edges.csv' (header=true)`,
        "CHECKPOINT",
    ])
        (await connection.query(statement)).close();
    await connection.close();
    await instance.close();
    return milliseconds() - from;
}

(peer === "duckdb" ? duckdb() : kuzu()).then((took) => console.log(took.toFixed(2)));
