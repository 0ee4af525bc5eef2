"""The frame that verbs plug into: a lazy command group, options that are allowed before and after the verb, `main`.

A verb is a module of this package with a click command named `command`. Its function gets an `Options` by
`@click.pass_obj`, raises a BerthError for what went wrong, and ends by `ctx.exit(code)` where
its success has more than one meaning. Only click is imported here: `berth --help` is read by a person who waits.
"""

from __future__ import annotations

import difflib
import importlib
import os
import sys
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from reconciler.cli.common.streams import masked_streams
from reconciler.cli.verbs import ELSEWHERE, SECTIONS, VERBS
from reconciler.process.options import Options

ENVIRONMENT_PREFIX = "BERTH"


class VerbGroup(click.Group):
    """Imports a verb when it is used, not before; names the nearest one when there is none."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return [name for name in VERBS if _is_offered(name)]

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        verb = VERBS.get(cmd_name)
        if verb is None:
            return None
        command: click.Command = importlib.import_module(f"reconciler.cli.verbs.{verb.module}").command
        for leaf in leaves_of(command):
            _add_global_options(leaf)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in VERBS and not args[0].startswith("-"):
            near = [name for name in difflib.get_close_matches(args[0], VERBS) if _is_offered(name)]
            meant = f", did you mean {near[0]!r}?" if near else "; see: berth --help"
            if args[0] in ELSEWHERE:
                meant = f": {ELSEWHERE[args[0]]}"
            raise click.UsageError(f"there is no command {args[0]!r}{meant}", ctx)
        name, command, rest = super().resolve_command(ctx, args)
        namespace = ctx.params.get("namespace")
        if namespace and command is not None:
            # Said before the verb, as kubectl allows it: it is the verb's option all the same.
            words = leaf_words(command, rest)
            rest = [*rest[:words], "--namespace", namespace, *rest[words:]]
        return name, command, rest

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:  # noqa: BLE001 - the last stop: nothing leaves without a message
            return ctx.exit(explain(error, verbose=ctx.obj.verbose))

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, verbs in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, verb.help) for name, verb in verbs.items() if _is_offered(name)])

    def format_epilog(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from reconciler.cli.common.exit_codes import MEANINGS

        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in MEANINGS])


def leaf_words(command: click.Command, words: list[str]) -> int:
    """How many of the words after a verb name the command in it (`rollout`: 1 of `history deploy/web`)."""
    count = 0
    while isinstance(command, click.Group) and count < len(words) and words[count] in command.commands:
        command = command.commands[words[count]]
        count += 1
    return count


def _is_offered(verb: str) -> bool:
    """The lab is part of a checkout, not of an installed Berth."""
    return verb != "lab" or (Path(__file__).resolve().parents[2] / "tests" / "lab").is_dir()


def leaves_of(command: click.Command) -> list[click.Command]:
    """The commands that a person can run: of a group those in it, at any depth."""
    if isinstance(command, click.Group):
        return [leaf for sub in command.commands.values() for leaf in leaves_of(sub)]
    return [command]


# --- options of every verb ---------------------------------------------------------------------------------------


def global_options(*, hidden: bool = False) -> list[click.Option]:
    """What every verb understands, before it (shown in the help) and after it (hidden there, as kubectl has it)."""

    def option(*names: str, help_text: str, **settings: Any) -> click.Option:
        return click.Option(
            names, callback=_remember, expose_value=False, hidden=hidden, help=help_text, show_envvar=True, **settings
        )

    file = click.Path(dir_okay=False, path_type=Path)
    folder = click.Path(file_okay=False, path_type=Path)
    options = [
        option("--repo", metavar="URL|PATH", help_text="The Git repository. Default: the checkout you stand in."),
        option("--branch", metavar="NAME", help_text="Branch with the desired state. Default: main."),
        option("--ssh-key", type=file, help_text="Private key for the Git remote."),
        option(
            "--git-known-hosts", type=file, help_text="File with the remote's host key. Default: ~/.ssh/known_hosts."
        ),
        option("--git-token-file", type=file, help_text="File with the token for a remote over HTTPS."),
        option("--git-ca-file", type=file, help_text="Certificates to trust for HTTPS instead of the system's."),
        option("--cache-dir", type=folder, help_text="Where clones are kept. Default: ~/.cache/berth."),
        option("-v", "--verbose", is_flag=True, default=None, help_text="More words; tracebacks of failures."),
        option("--color/--no-color", default=None, help_text="Default: on a terminal, unless NO_COLOR is set."),
    ]
    for item in options:
        item.envvar = None if hidden else f"{ENVIRONMENT_PREFIX}_{(item.name or '').upper()}"
    return options


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    """Put a value that somebody gave into the Options of this run; what was said last, counts."""
    given = ctx.get_parameter_source(param.name or "") in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
    root = ctx.find_root()
    if root.obj is None:
        root.obj = default_options()
    if isinstance(value, Path):
        value = value.expanduser()
    if given and value is not None:
        root.obj = replace(root.obj, **{param.name or "": value})
    ctx.obj = root.obj
    return value


def _add_global_options(command: click.Command) -> None:
    """Idempotent. An option that the verb has itself (`logs --branch`) stays the verb's."""
    taken = {name for param in command.params for name in param.opts}
    command.params.extend(option for option in global_options(hidden=True) if taken.isdisjoint(option.opts))


def default_options() -> Options:
    """What holds when nothing is said. NO_COLOR (any value but "") and a TERM of `dumb` are honoured."""
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "berth"
    return Options(cache_dir=cache, color=sys.stdout.isatty() and not plain)


def namespace_before_verb() -> click.Option:
    """`berth -n shop get pods`: handed on to the verb, which knows whether it has namespaces."""
    return click.Option(["-n", "--namespace"], metavar="NAME", hidden=True, expose_value=True)


def version_option() -> click.Option:
    """`berth --version`, as everybody tries first; `berth version -v` says more."""

    def show(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
        if value and not ctx.resilient_parsing:
            from reconciler.cli.verbs.version import berth_version

            click.echo(f"berth {berth_version()}")
            ctx.exit()

    return click.Option(
        ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=show, help="Print the version."
    )


# --- from argv to exit code --------------------------------------------------------------------------------------


def run_command(group: click.Group, arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code; whatever goes wrong is one clear message on stderr.

    Nothing is printed with a secret value in it that was read meanwhile.
    """
    options = default_options()
    with masked_streams(options.words):
        return _run(group, arguments, options)


def _run(group: click.Group, arguments: list[str] | None, options: Options) -> int:
    try:
        result = group.main(arguments, prog_name="berth", standalone_mode=False, obj=options)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except SystemExit as ended:
        return _code_of_exit(ended)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        from reconciler.cli.common.exit_codes import INTERRUPTED

        return INTERRUPTED
    except BrokenPipeError:
        # The reader (`head`, a pager that was left) has seen enough; Python must not complain about it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return result if isinstance(result, int) else 0


def _code_of_exit(ended: SystemExit) -> int:
    if ended.code is None or isinstance(ended.code, int):
        return ended.code or 0
    click.echo(ended.code, err=True)
    return 1


def explain(error: Exception, *, verbose: bool) -> int:
    """Say on stderr what failed and what to do about it; returns the exit code that belongs to it.

    A traceback is for those who asked for it, and for a bug of ours, which nobody can mend without.
    """
    from objects.errors import BerthError, Needs

    if verbose or not isinstance(error, BerthError) or error.needs is Needs.BUG:
        traceback.print_exception(error)
    if not isinstance(error, BerthError):
        click.echo(f"error: internal error: {type(error).__name__}: {error}", err=True)
        click.echo("hint: this is a bug of Berth; please report it with the lines above", err=True)
        return 1
    from reconciler.cli.common.exit_codes import code_of

    click.echo(f"error: {error}", err=True)
    return code_of(error)
