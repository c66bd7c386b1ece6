"""The second factor of one's own profile: switched on by its first code, recovery codes, switched off."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import segno
from fastapi import APIRouter, Request, Response
from markupsafe import Markup

from services.desk.domain import totp
from services.desk.pages.code import too_many
from services.desk.pages.frame import Frame
from services.desk.pages.ticket import text_of
from services.desk.usecases.sessions import SignedIn
from services.desk.web.deps import SELF, Form, Me, needs
from services.kit.errors import Conflict, RateLimited, Unauthenticated

_PAGE = "/profile/factor"


def routes(frame: Frame) -> APIRouter:
    """The addresses of the second factor."""
    router = APIRouter()
    desk = frame.desk

    @router.get(_PAGE, dependencies=[needs(SELF)])
    def factor(request: Request, me: Me) -> Response:
        return shown(request, me)

    @router.post(_PAGE, dependencies=[needs(SELF)])
    def begin(request: Request, me: Me, form: Form) -> Response:
        return tried(request, me, lambda: desk.factors.begin(me.user, text_of(form, "password")))

    @router.post(_PAGE + "/confirm", dependencies=[needs(SELF)])
    def confirm(request: Request, me: Me, form: Form) -> Response:
        return tried(request, me, lambda: desk.factors.confirm(me.user, text_of(form, "code")))

    @router.post(_PAGE + "/codes", dependencies=[needs(SELF)])
    def codes(request: Request, me: Me, form: Form) -> Response:
        given = text_of(form, "password"), text_of(form, "code")
        return tried(request, me, lambda: desk.factors.renew_codes(me.user, *given))

    @router.post(_PAGE + "/off", dependencies=[needs(SELF)])
    def off(request: Request, me: Me, form: Form) -> Response:
        given = text_of(form, "password"), text_of(form, "code")
        return tried(request, me, lambda: desk.factors.switch_off(me.user, *given))

    def tried(request: Request, me: SignedIn, act: Callable[[], list[str] | None]) -> Response:
        """What came of the act: recovery codes are shown in this answer and never again."""
        tongue = frame.tongue(request, me)
        try:
            made = act()
        except RateLimited as error:
            return shown(request, me, error=too_many(tongue, error), status=429)
        except Unauthenticated as error:
            wrong = tongue.text("The code is wrong, or was used before. Wait for the next one.")
            return shown(
                request,
                me,
                error=tongue.text("The present password is wrong.") if error.field == "password" else wrong,
                at=error.field,
                status=422,
            )
        except Conflict:
            return shown(
                request, me, error=tongue.text("This took too long, or was done elsewhere. Begin again."), status=409
            )
        return shown(request, me, codes=made) if made else frame.back(request, _PAGE)

    def shown(
        request: Request, me: SignedIn, *, codes: Sequence[str] = (), error: str = "", at: str = "", status: int = 200
    ) -> Response:
        mine = desk.factors.of(me.user.id)
        uri = totp.uri(mine.secret, account=me.user.email, issuer="Ascolto") if mine.secret else ""
        return frame.show(
            request, me, "profile_factor.html", "profile", frame.tongue(request, me).text("Second factor"), status=status,
            factor=mine, codes=codes, error=error, at=at, grouped=totp.grouped(mine.secret),
            uri=uri, picture=picture(uri) if uri else "",
        )  # fmt: skip

    return router


def picture(uri: str) -> Markup:
    """The link as a QR code, 200 px wide: dark on light in either theme, as cameras want it, and without styles."""
    drawn = segno.make(uri, micro=False).svg_inline(scale=4, dark="#000", light="#fff", svgclass=None, lineclass=None)
    return Markup(drawn)  # noqa: S704 (lines only: nothing of the link is text in it)
