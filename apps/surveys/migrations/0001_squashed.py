import apps.surveys.models
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [
        ('surveys', '0001_initial'),
    ]

    initial = True

    dependencies = [
        ('accounts', '0001_squashed'),
        ('content', '0001_squashed'),
        ('projects', '0001_squashed'),
    ]

    operations = [
        migrations.CreateModel(
            name='Survey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('token', models.CharField(default=apps.surveys.models.new_token, max_length=40, unique=True)),
                ('state', models.CharField(choices=[('draft', 'draft'), ('open', 'open'), ('closed', 'closed')], default='draft', max_length=6)),
                ('title_en', models.CharField(blank=True, max_length=120, verbose_name='title, English')),
                ('title_zh', models.CharField(blank=True, max_length=120, verbose_name='title, Chinese')),
                ('intro_en', models.TextField(blank=True, max_length=1000, verbose_name='introduction, English')),
                ('intro_zh', models.TextField(blank=True, max_length=1000, verbose_name='introduction, Chinese')),
                ('quota', models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='responses at most')),
                ('once', models.BooleanField(default=True, verbose_name='each person answers once')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('opened_at', models.DateTimeField(null=True)),
                ('closed_at', models.DateTimeField(null=True)),
                ('by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='surveys', to='projects.project')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('title_en', ''), ('title_zh', ''), _negated=True), name='survey_has_a_title', violation_error_message='A survey needs a title in one language at least.'), models.CheckConstraint(condition=models.Q(('quota', None), ('quota__gte', 1), _connector='OR'), name='survey_quota_is_positive')],
            },
        ),
        migrations.CreateModel(
            name='Response',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=64)),
                ('person', models.CharField(max_length=64, null=True)),
                ('subject', models.CharField(blank=True, max_length=64)),
                ('source', models.CharField(choices=[('link', 'link'), ('widget', 'widget')], max_length=6)),
                ('language', models.CharField(blank=True, max_length=10)),
                ('consent', models.BooleanField(default=False)),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('survey', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='responses', to='surveys.survey')),
            ],
            options={
                'indexes': [models.Index(fields=['survey', 'at'], name='survey_response_time')],
                'constraints': [models.UniqueConstraint(fields=('survey', 'key'), name='survey_response_key_once'), models.UniqueConstraint(fields=('survey', 'person'), name='survey_person_once')],
            },
        ),
        migrations.CreateModel(
            name='Question',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveSmallIntegerField()),
                ('kind', models.CharField(choices=[('rating', 'rating, 1 to 5'), ('score', 'how likely to recommend, 0 to 10'), ('single', 'one of several answers'), ('multiple', 'any of several answers'), ('text', 'free text')], max_length=8, verbose_name='kind')),
                ('wording_en', models.CharField(blank=True, max_length=300, verbose_name='question, English')),
                ('wording_zh', models.CharField(blank=True, max_length=300, verbose_name='question, Chinese')),
                ('options', models.JSONField(default=list)),
                ('required', models.BooleanField(default=False, verbose_name='must be answered')),
                ('survey', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='questions', to='surveys.survey')),
            ],
            options={
                'ordering': ['position', 'pk'],
                'constraints': [models.CheckConstraint(condition=models.Q(('wording_en', ''), ('wording_zh', ''), _negated=True), name='question_has_words', violation_error_message='A question needs words in one language at least.')],
            },
        ),
        migrations.CreateModel(
            name='Given',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.SmallIntegerField(null=True)),
                ('places', models.JSONField(null=True)),
                ('text', models.TextField(blank=True)),
                ('consent', models.BooleanField(default=False)),
                ('item', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='content.item')),
                ('question', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='given', to='surveys.question')),
                ('response', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='given', to='surveys.response')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('response', 'question'), name='survey_answer_once'), models.CheckConstraint(condition=models.Q(('consent', True), ('text', ''), _connector='OR'), name='survey_text_needs_consent'), models.CheckConstraint(condition=models.Q(('number__isnull', False), ('places__isnull', False), models.Q(('text', ''), _negated=True), _connector='OR'), name='survey_answer_says')],
            },
        ),
    ]
