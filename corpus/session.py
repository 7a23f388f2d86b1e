"""The Spark session: embedded by default, the cluster's where one is already there; and whether this machine has a Java for it.

spark = session("gristmill curate", master="local[2]")
"""

import os
import re
import subprocess
import sys
from importlib import resources
from typing import Any

from pyspark.errors import PySparkRuntimeError
from pyspark.sql import SparkSession

from corpus.errors import EnvironmentProblem

_JAVA = (17, 21)  # what Spark 4 is built and tested for
_JAVA_HINT = "install a Java 17 or 21 runtime, such as Debian's openjdk-17-jre-headless, and set JAVA_HOME if there are several"

# The same on a laptop and on a cluster: these decide what a result is, or keep memory within bounds.
SETTINGS: dict[str, Any] = {
    "spark.sql.session.timeZone": "UTC",  # dates must not depend on the machine's zone
    "spark.sql.execution.arrow.maxRecordsPerBatch": "2048",
    "spark.sql.execution.arrow.maxBytesPerBatch": "32m",  # the default bound of 10,000 rows would be gigabytes of long texts
    "spark.sql.adaptive.enabled": "true",
    # Its default shortens tracebacks by a variable of the workers, and workers of another environment are others: tasks of tables would
    # start Python anew, load all kernels again, and hold another 250 MB a core beside the workers of the fused pass.
    "spark.sql.execution.pyspark.udf.simplifiedTraceback.enabled": "false",
    "spark.sql.icu.caseMappings.enabled": "false",  # Java's tables: the first lower() takes .6 s, with ICU's 3
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.hive.filesourcePartitionFileCacheSize": "0",  # it keeps what lay in folders that are never read again, up to 250 MB
    "spark.redaction.regex": "(?i)secret|password|token|access[.]?key|pii_key",  # Spark's default, and our key for pseudonyms
}
# Embedded only: a cluster has its own mind about these.
EMBEDDED: dict[str, Any] = {
    "spark.ui.enabled": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    # What Spark remembers for a UI that nobody sees: by default of 1,000 queries and 100,000 tasks, 1.2 MB of heap for each small run.
    "spark.ui.retainedJobs": "50",
    "spark.ui.retainedStages": "50",
    "spark.ui.retainedTasks": "1000",
    "spark.sql.ui.retainedExecutions": "10",
}
# Of the 40 s of CPU that the JVM takes for a crawl of 50 MB, 20 go into its second compiler, whose code never earns them back.
BRIEF_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
BRIEF_BYTES = 2**30  # of input: beyond it sorts and shuffles last long enough
# Nor does it pay to generate and compile Java for each query. (Without adaptive planning the same run takes 1 s more of 26.)
BRIEF: dict[str, Any] = {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"}
_PASSED_ON = ("GRISTMILL_PII_KEY", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION", "NUMBA_CACHE_DIR")


def session(app: str, master: str | None = None, *, brief: bool = False, **settings: str) -> SparkSession:
    """A session with our settings. ``master`` None: what spark-submit says, else ``local[*]``. ``brief``: tuned to start, not to last.

    In local mode a failed task is tried four times, as on a cluster. Raises EnvironmentProblem where Java is missing or of
    a version that Spark does not run on.
    """
    submitted = "SPARK_ENV_LOADED" in os.environ or "PYSPARK_GATEWAY_PORT" in os.environ
    if not submitted:
        problem = java_problem()
        if problem:
            raise EnvironmentProblem(problem)
        master = master or "local[*]"
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # or the workers start the first python3 on the PATH
    builder = SparkSession.builder.appName(app).config(map=SETTINGS)
    if master:
        builder = builder.master(_with_retries(master))
        if master.startswith("local"):
            quiet = f"-Dlog4j2.configurationFile=file:{resources.files('corpus.resources.spark').joinpath('log4j2.properties')}"
            memory = os.environ.get("GRISTMILL_DRIVER_MEMORY", _driver_memory())
            options = {"spark.driver.memory": memory, "spark.driver.extraJavaOptions": f"{quiet} {BRIEF_JAVA}" if brief else quiet}
            builder = builder.config(map={**EMBEDDED, **options})
            if brief:
                builder = builder.config(map=BRIEF)
    for name in _PASSED_ON:
        if name in os.environ:
            builder = builder.config(f"spark.executorEnv.{name}", os.environ[name])
    try:
        return builder.config(map=dict(settings)).getOrCreate()
    except PySparkRuntimeError as error:  # the gateway did not start
        raise EnvironmentProblem("Spark did not start", where=str(error), hint=_JAVA_HINT) from error


def java_problem() -> str | None:
    """None if ``java`` (JAVA_HOME's, else the PATH's) is one that Spark runs on; else one line that says what to do."""
    home = os.environ.get("JAVA_HOME")
    java = os.path.join(home, "bin", "java") if home else "java"
    try:
        printed = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60).stderr
    except (OSError, subprocess.TimeoutExpired):
        return f"no Java found: {java} ({_JAVA_HINT})"
    found = re.search(r'version "(\d+)(?:\.(\d+))?', printed)
    major = int(found.group(2) if found and found.group(1) == "1" and found.group(2) else found.group(1)) if found else 0
    if major not in _JAVA and major < max(_JAVA):
        return f"Java {major or 'of an unknown version'} is too old: {java} ({_JAVA_HINT})"
    return None


def _with_retries(master: str) -> str:
    """``local[2]`` gives up at a task's first failure; ``local[2,4]`` tries it four times."""
    if master == "local":
        return "local[1,4]"
    return re.sub(r"^local\[([0-9*]+)\]$", r"local[\1,4]", master)


def _driver_memory() -> str:
    """A quarter of the machine, 1 to 8 GiB: the JVM sorts and spills, the Python workers beside it need the rest."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{min(8192, max(1024, total // 4 // 2**20))}m"
