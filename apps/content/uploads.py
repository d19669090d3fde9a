"""Uploads go straight to a file of ours; what nobody signed in sent, or what is too large, is never written."""

from tempfile import NamedTemporaryFile
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.http import HttpRequest

from apps.content import files

FORM_ROOM = 64 * 1024  # the other fields and the boundaries


class OurFile(TemporaryUploadedFile):
    """Like Django's, but beside its final place, so that keeping it costs a second name and no copy."""

    def __init__(self, name: str, content_type: str | None, charset: str | None) -> None:
        file = NamedTemporaryFile(suffix=".upload", dir=files.folder())  # noqa: SIM115 - closed with the request
        UploadedFile.__init__(self, file, name, content_type, 0, charset)


class StreamToFiles(FileUploadHandler):
    file: OurFile

    def handle_raw_input(
        self, input_data: Any, META: dict[str, str], content_length: int, boundary: Any, encoding: Any = None
    ) -> None:
        self.too_large = content_length > settings.UPLOAD_MAX_BYTES + FORM_ROOM

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        user = getattr(self.request, "user", None)
        if user is None or not user.is_authenticated:
            raise StopUpload(connection_reset=True)
        if self.too_large:
            self.request.upload_too_large = True  # type: ignore[union-attr]
            raise StopUpload(connection_reset=False)  # read to the end, so that the browser hears why
        self.file = OurFile(self.file_name or "", self.content_type, self.charset)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.file.write(raw_data)

    def file_complete(self, file_size: int) -> UploadedFile:
        self.file.seek(0)
        self.file.size = file_size
        return self.file

    def upload_interrupted(self) -> None:
        if hasattr(self, "file"):
            self.file.close()


def refuse_too_large(request: HttpRequest) -> None:
    request.POST  # noqa: B018 - reading it is what runs the handler
    if getattr(request, "upload_too_large", False):
        raise files.too_large()
