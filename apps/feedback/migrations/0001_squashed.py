import django.core.validators
import django.db.models.deletion
import django.utils.timezone
import pgvector.django.halfvec
from django.conf import settings
from django.db import migrations, models

from ._triggers import SQL, UNDO


class Migration(migrations.Migration):

    replaces = [
        ('feedback', '0001_initial'),
        ('feedback', '0002_relations'),
        ('feedback', '0003_ticket_bookkeeping'),
        ('feedback', '0004_intake_count'),
        ('feedback', '0005_ticket_wording'),
        ('feedback', '0006_reward_ledger'),
    ]

    initial = True

    dependencies = [
        ('accounts', '0001_squashed'),
        ('annotation', '0001_squashed'),
        ('content', '0001_squashed'),
        ('projects', '0001_squashed'),
        ('registry', '0001_squashed'),
        ('serving', '0001_squashed'),
    ]

    operations = [
        migrations.CreateModel(
            name='FeedbackPolicy',
            fields=[
                ('project', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='projects.project')),
                ('person_cap', models.PositiveSmallIntegerField(default=3, validators=[django.core.validators.MinValueValidator(1)], verbose_name='signals of one person that count in a day')),
                ('allowed_breaks', models.PositiveIntegerField(default=0, verbose_name='pinned regression cases that a version may break')),
                ('flip_review', models.PositiveIntegerField(default=50, verbose_name='flipped items to look at after a promotion')),
                ('weak_labels', models.BooleanField(default=False, verbose_name="let users' corrections into training, as weak labels")),
                ('rewards', models.BooleanField(default=False, verbose_name='points for contributors')),
            ],
        ),
        migrations.CreateModel(
            name='IntakeKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=80, verbose_name='name')),
                ('kind', models.CharField(choices=[('publishable', 'publishable: in web pages and apps'), ('secret', 'secret: between servers, in batches')], default='publishable', max_length=12, verbose_name='kind')),
                ('prefix', models.CharField(max_length=16)),
                ('digest', models.CharField(max_length=64, unique=True)),
                ('origins', models.JSONField(default=list)),
                ('per_minute', models.PositiveIntegerField(default=60, validators=[django.core.validators.MinValueValidator(1)], verbose_name='events a minute, from one address')),
                ('per_day', models.PositiveIntegerField(default=100000, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(1000000000)], verbose_name='events a day')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('revoked_at', models.DateTimeField(null=True)),
                ('by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='intake_keys', to='projects.project')),
            ],
        ),
        migrations.CreateModel(
            name='SavedQueue',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=60, verbose_name='name')),
                ('query', models.CharField(max_length=500)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('owner', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='projects.project')),
            ],
        ),
        migrations.CreateModel(
            name='Ticket',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('text', models.TextField(blank=True)),
                ('text_hash', models.BinaryField(max_length=32, null=True)),
                ('wording', models.BinaryField(null=True)),
                ('vector', pgvector.django.halfvec.HalfVectorField(null=True)),
                ('encoder_digest', models.CharField(blank=True, max_length=64)),
                ('said', models.JSONField(null=True)),
                ('state', models.CharField(choices=[('new', 'new'), ('accepted', 'accepted'), ('labelling', 'in labelling'), ('confirmed', 'complaint was right'), ('fixed', 'fixed'), ('regressed', 'came back'), ('dismissed', 'dismissed'), ('duplicate', 'duplicate'), ('snoozed', 'snoozed')], default='new', max_length=9)),
                ('state_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('dismissal', models.CharField(blank=True, choices=[('model_right', 'the model was right'), ('unclear', 'unclear what is wanted'), ('out_of_scope', 'not what this model is for'), ('spam', 'spam'), ('wont_fix', 'will not be changed')], max_length=12)),
                ('answer', models.TextField(blank=True)),
                ('snoozed_until', models.DateTimeField(null=True)),
                ('snoozed_reach', models.PositiveIntegerField(null=True)),
                ('reach', models.PositiveIntegerField(default=0)),
                ('priority', models.FloatField(default=0)),
                ('first_signal_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('last_signal_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('looked_at', models.DateTimeField(null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('assignee', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('duplicate_of', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='duplicates', to='feedback.ticket')),
                ('fixed_in', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='registry.modelversion')),
                ('item', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='tickets', to='content.item')),
                ('predicted', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='projects.label')),
                ('project', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='tickets', to='projects.project')),
                ('task', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='tickets', to='annotation.task')),
                ('wanted', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='projects.label')),
            ],
            options={
                'indexes': [models.Index(fields=['project', 'state', '-priority'], name='ticket_queue'), models.Index(fields=['project', 'predicted', 'wanted'], name='ticket_pair'), models.Index(condition=models.Q(('vector', None), models.Q(('text', ''), _negated=True)), fields=['project', 'id'], name='ticket_unread')],
                'constraints': [models.UniqueConstraint(fields=('project', 'number'), name='ticket_number_once'), models.CheckConstraint(condition=models.Q(('duplicate_of', models.F('id')), _negated=True), name='ticket_not_its_own_duplicate')],
            },
        ),
        migrations.CreateModel(
            name='Signal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('event', models.CharField(max_length=64)),
                ('kind', models.CharField(choices=[('thumb', 'thumb'), ('rating', 'rating'), ('label', 'corrected label'), ('spans', 'corrected spans'), ('comment', 'comment'), ('answer', 'survey answer'), ('shown', 'shown'), ('clicked', 'clicked'), ('accepted', 'accepted'), ('dismissed', 'dismissed'), ('dwell', 'time spent')], max_length=9)),
                ('polarity', models.SmallIntegerField(default=0)),
                ('text', models.TextField(blank=True)),
                ('text_hash', models.BinaryField(max_length=32, null=True)),
                ('confidence', models.FloatField(null=True)),
                ('value', models.JSONField(null=True)),
                ('comment', models.TextField(blank=True)),
                ('subject', models.CharField(blank=True, max_length=64)),
                ('address', models.CharField(blank=True, max_length=64)),
                ('consent', models.BooleanField(default=False)),
                ('language', models.CharField(blank=True, max_length=10)),
                ('source', models.CharField(blank=True, max_length=60)),
                ('state', models.CharField(choices=[('new', 'new'), ('grouped', 'in a ticket'), ('kept', 'counted'), ('aside', 'set aside')], default='new', max_length=7)),
                ('why_aside', models.CharField(blank=True, max_length=200)),
                ('counted', models.BooleanField(db_default=False)),
                ('occurred_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('received_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('item', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='content.item')),
                ('key', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='feedback.intakekey')),
                ('predicted', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='projects.label')),
                ('project', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='signals', to='projects.project')),
                ('served', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='serving.served')),
                ('version', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='registry.modelversion')),
                ('wanted', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='projects.label')),
                ('ticket', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='signals', to='feedback.ticket')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('state', 'new')), fields=['project', 'id'], name='signal_new'), models.Index(fields=['project', 'received_at'], name='signal_time'), models.Index(fields=['project', 'kind', 'occurred_at'], name='signal_kind_time')],
                'constraints': [models.UniqueConstraint(fields=('project', 'event'), name='signal_event_once'), models.CheckConstraint(condition=models.Q(('consent', True), ('text', ''), _connector='OR'), name='signal_text_needs_consent')],
            },
        ),
        migrations.CreateModel(
            name='RewardEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('subject', models.CharField(max_length=64)),
                ('points', models.IntegerField()),
                ('outcome', models.CharField(choices=[('sent', 'was sent'), ('right', 'proved right'), ('fixed', 'led to a fix')], max_length=5)),
                ('why', models.CharField(blank=True, max_length=200)),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('project', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='projects.project')),
                ('signal', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='feedback.signal')),
                ('ticket', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='feedback.ticket')),
            ],
            options={
                'indexes': [models.Index(fields=['project', 'subject', 'at'], name='reward_of_subject')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('points__gt', 0)), fields=('signal', 'outcome'), name='reward_once_per_signal_and_outcome'), models.UniqueConstraint(condition=models.Q(('points__lt', 0)), fields=('signal', 'outcome'), name='reward_taken_back_once')],
            },
        ),
        migrations.CreateModel(
            name='RegressionCase',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('value', models.JSONField(null=True)),
                ('pinned', models.BooleanField(default=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('retired_at', models.DateTimeField(null=True)),
                ('why_retired', models.CharField(blank=True, max_length=300)),
                ('by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('failed', models.ManyToManyField(related_name='+', to='registry.modelversion')),
                ('item', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='regression_cases', to='content.item')),
                ('label', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='projects.label')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='regression_cases', to='projects.project')),
                ('retired_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('ticket', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='cases', to='feedback.ticket')),
            ],
            options={
                'constraints': [models.UniqueConstraint(condition=models.Q(('retired_at', None)), fields=('item',), name='case_one_live_per_item'), models.CheckConstraint(condition=models.Q(('label__isnull', False), ('value__isnull', False), _connector='XOR'), name='case_expects')],
            },
        ),
        migrations.CreateModel(
            name='TicketMove',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('action', models.CharField(max_length=20)),
                ('before', models.CharField(choices=[('new', 'new'), ('accepted', 'accepted'), ('labelling', 'in labelling'), ('confirmed', 'complaint was right'), ('fixed', 'fixed'), ('regressed', 'came back'), ('dismissed', 'dismissed'), ('duplicate', 'duplicate'), ('snoozed', 'snoozed')], max_length=9)),
                ('after', models.CharField(choices=[('new', 'new'), ('accepted', 'accepted'), ('labelling', 'in labelling'), ('confirmed', 'complaint was right'), ('fixed', 'fixed'), ('regressed', 'came back'), ('dismissed', 'dismissed'), ('duplicate', 'duplicate'), ('snoozed', 'snoozed')], max_length=9)),
                ('data', models.JSONField(default=dict)),
                ('bulk', models.UUIDField(null=True)),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('ticket', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='moves', to='feedback.ticket')),
                ('undoes', models.OneToOneField(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='undone_by', to='feedback.ticketmove')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('bulk__isnull', False)), fields=['bulk'], name='move_bulk')],
            },
        ),
        migrations.CreateModel(
            name='RewardRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('thumb', 'thumb'), ('rating', 'rating'), ('label', 'corrected label'), ('spans', 'corrected spans'), ('comment', 'comment'), ('answer', 'survey answer'), ('shown', 'shown'), ('clicked', 'clicked'), ('accepted', 'accepted'), ('dismissed', 'dismissed'), ('dwell', 'time spent')], max_length=9)),
                ('outcome', models.CharField(choices=[('sent', 'was sent'), ('right', 'proved right'), ('fixed', 'led to a fix')], max_length=5)),
                ('points', models.PositiveIntegerField(verbose_name='points')),
                ('per_day', models.PositiveIntegerField(default=10, verbose_name='at most a day, per person')),
                ('since', models.DateTimeField(default=django.utils.timezone.now)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='projects.project')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('project', 'kind', 'outcome'), name='reward_rule_once')],
            },
        ),
        migrations.RunSQL(SQL, UNDO),
    ]
