"""`ascolto demo`: the product with Borbotto in it, in a data folder of its own, until it is told to stop."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from ascolto.demo.brand import PASSWORD, PEOPLE
from ascolto.demo.listening import plan_sources
from ascolto.demo.live import LiveTown
from ascolto.demo.load import is_loaded, load_demo, point_sources
from ascolto.demo.town import Town
from ascolto.wiring import House, build_house
from config.settings import Publishing, Settings
from inbox.store.migrate import upgrade

FOLDER = "demo"
JOURNAL, PORT_FILE = "town.jsonl", "town.port"
_OURS = ("ascolto.sqlite3", "ascolto.sqlite3-wal", "ascolto.sqlite3-shm", JOURNAL, PORT_FILE)
STEPS = {
    "posts": "Eight weeks of talk",
    "desk": "What the desk did",
    "poll": "Listening to the town",
    "days": "Counting the days",
}


def show_demo(settings: Settings, *, port: int | None = None, reset: bool = False) -> None:
    """Load the demo when it is not there yet, print who may sign in, and serve until stopped."""
    from ascolto.cli.running import hold_data_dir, run_everything

    own = demo_settings(settings)
    own.data_dir.mkdir(parents=True, exist_ok=True)
    house = build_house(own)
    try:
        with hold_data_dir(house):
            if reset or not _is_whole(house):
                house.store.dispose()
                forget_demo(own.data_dir)
            with demo_town(own.data_dir) as town:
                prepare_demo(house, town)
                print_people()
                live = LiveTown(town)
                live.start()
                try:
                    run_everything(house, port=port)
                finally:
                    live.stop()
    finally:
        house.close()


def demo_settings(settings: Settings) -> Settings:
    """Give the demo's settings: a folder and a SQLite file of its own, publishing live into the town."""
    return settings.model_copy(
        update={"data_dir": settings.data_dir / FOLDER, "database_url": "", "publishing": Publishing.LIVE}
    )


def _is_whole(house: House) -> bool:
    """Whether an earlier load ran to its end; one that was cut off is begun anew."""
    upgrade(house.store)
    return is_loaded(house)


def forget_demo(folder: Path) -> None:
    """Remove what an earlier demo left in its folder, and nothing else."""
    for name in _OURS:
        (folder / name).unlink(missing_ok=True)


@contextmanager
def demo_town(folder: Path) -> Iterator[Town]:
    """Give the running town: at its old port where that is free, with all that was said in it before."""
    kept = folder / PORT_FILE
    wanted = int(kept.read_text("ascii")) if kept.exists() and kept.read_text("ascii").isdigit() else 0
    town = Town(folder / JOURNAL, port=wanted)
    try:
        town.start()
    except OSError:
        town = Town(folder / JOURNAL)
        town.start()
    kept.write_text(town.url.rsplit(":", 1)[1], "ascii")
    try:
        yield town
    finally:
        town.stop()


def prepare_demo(house: House, town: Town) -> None:
    """Bring the demo's database up to date; load it the first time, later only find its town again."""
    upgrade(house.store)
    if is_loaded(house):
        plan_sources(town)
        point_sources(house, town)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        tasks = {step: progress.add_task(words, total=None) for step, words in STEPS.items()}

        def tell(step: str, done: int, total: int) -> None:
            progress.update(tasks[step], completed=done, total=max(total, 1))

        load_demo(house, town, now=house.clock(), progress=tell)


def print_people() -> None:
    """Print who may sign in."""
    console = Console(stderr=True)
    console.print("\n[bold]Borbotto[/bold], coffee machines of Trieste, does not exist. Sign in as one of its people:")
    for person in PEOPLE:
        console.print(f"  {person.email:<28} {person.name}, {person.role.value}, reads {person.language}")
    console.print(f"  password of all three: [bold]{PASSWORD}[/bold]\n")
