"""Celery with a pool of two processes, which are replaced after some tasks, and a broker in the file system."""
import subprocess
import sys

from conftest import COMPUTE_NS, LIMIT, Count, await_that, is_near
from processes import environment_without_us

SOURCE = """
from celery import Celery
FOLDER = os.path.dirname(os.path.abspath(__file__))
tasks = Celery("app", broker="filesystem://")
tasks.conf.update(
    broker_transport_options={
        "data_folder_in": FOLDER + "/queue", "data_folder_out": FOLDER + "/queue", "store_processed": False, "polling_interval": 0.02,
    },
    broker_connection_retry_on_startup=True, task_ignore_result=True, worker_prefetch_multiplier=1,
)
os.makedirs(FOLDER + "/queue", exist_ok=True)

@tasks.task
def task(path):
    began = time.perf_counter_ns()
    HANDLERS[path]()
    answered(path, began)
"""
COMMAND = ["-m", "celery", "-A", "app:tasks", "worker", "--pool", "prefork", "--concurrency", "2", "--max-tasks-per-child", "20"]
COMMAND += ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "warning"]
SEND = """
import sys, app
for path, count in (("/sleep", 10), ("/compute", 10), ("/fast", 100)):
    for _ in range(int(sys.argv[1]) * count):
        app.task.delay(path)
"""


def send(service, times):
    subprocess.run([sys.executable, "-c", SEND, str(times)], cwd=service.folder, env=environment_without_us(), check=True, timeout=LIMIT)


def answers(service):
    return sum(map(len, service.answered().values()))


def test_all_tasks(start_service, tscap, functions):
    service = start_service(SOURCE, *COMMAND)
    send(service, 1)
    await_that(lambda: answers(service) == 120, "the first tasks are done")
    tscap("attach", "-s", service.pid)
    count = Count(service)
    send(service, 1)
    await_that(lambda: answers(service) == 240, "the others are done")
    assert len({pid for path in service.answered() for _, pid in count.lines(path)}) > 2, "workers were replaced meanwhile"

    def ended():
        return all(site["open"] == 0 for site in functions(service.pid).values())

    await_that(ended, "the last task has returned")
    found = functions(service.pid)
    assert found["task"]["calls"] == 120
    for path, name in (("/sleep", "sleep"), ("/compute", "compute"), ("/fast", "fast")):
        assert found[name]["calls"] == len(count.lines(path)), path
    own = [ns for ns, _ in count.lines("/sleep")]
    assert is_near(found["sleep"]["inclusive_ns"], sum(own)), (found["sleep"], own)
    assert is_near(found["compute"]["exclusive_cpu_ns"], 10 * COMPUTE_NS), found["compute"]
    tscap("detach", "-s", service.pid)
    send(service, 1)
    await_that(lambda: answers(service) == 360, "it works on")
    assert service.end() == 0
