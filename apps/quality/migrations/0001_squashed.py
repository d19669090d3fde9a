import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [
        ('quality', '0001_initial'),
        ('quality', '0002_pauses_and_suggestions'),
    ]

    initial = True

    dependencies = [
        ('accounts', '0001_squashed'),
        ('annotation', '0001_squashed'),
        ('content', '0001_squashed'),
        ('projects', '0001_squashed'),
    ]

    operations = [
        migrations.CreateModel(
            name='SuspectRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('state', models.CharField(choices=[('queued', 'queued'), ('running', 'running'), ('succeeded', 'done'), ('failed', 'failed')], default='queued', max_length=10)),
                ('looked_at', models.PositiveIntegerField(default=0)),
                ('flagged', models.PositiveIntegerField(default=0)),
                ('error', models.TextField(blank=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('heartbeat_at', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('stopped_at', models.DateTimeField(null=True)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='suspect_runs', to='projects.project')),
            ],
            options={
                'constraints': [models.UniqueConstraint(condition=models.Q(('state__in', ['queued', 'running'])), fields=('project',), name='suspect_run_one_live')],
            },
        ),
        migrations.CreateModel(
            name='Suspect',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('value', models.JSONField(null=True)),
                ('suggested_value', models.JSONField(null=True)),
                ('score', models.FloatField()),
                ('rank', models.PositiveIntegerField()),
                ('state', models.CharField(choices=[('listed', 'listed'), ('asked', 'people are asked again'), ('wrong', 'it was wrong'), ('right', 'it was right')], default='listed', max_length=6)),
                ('asked_at', models.DateTimeField(null=True)),
                ('settled_at', models.DateTimeField(null=True)),
                ('item', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='content.item')),
                ('label', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='projects.label')),
                ('suggested', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='projects.label')),
                ('task', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='annotation.task')),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='suspects', to='quality.suspectrun')),
            ],
            options={
                'indexes': [models.Index(fields=['run', 'rank'], name='suspect_rank')],
                'constraints': [models.UniqueConstraint(fields=('run', 'item'), name='suspect_once_a_run')],
            },
        ),
        migrations.CreateModel(
            name='Adjudication',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('why', models.CharField(choices=[('tie', 'as many say one thing as another'), ('unsure', 'the consensus is too unsure'), ('undecided', 'somebody could not decide'), ('flagged', 'somebody flagged it'), ('asked', 'a reviewer put it here')], max_length=10)),
                ('state', models.CharField(choices=[('open', 'open'), ('decided', 'decided'), ('sent_back', 'sent back'), ('settled', 'settled by itself')], default='open', max_length=10)),
                ('comment', models.TextField(blank=True)),
                ('opened_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('closed_at', models.DateTimeField(null=True)),
                ('by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('item', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='adjudications', to='content.item')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='adjudications', to='projects.project')),
                ('task', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='annotation.task')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('state', 'open')), fields=['project', 'id'], name='adjudication_queue')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state', 'open')), fields=('item',), name='adjudication_one_open_per_item')],
            },
        ),
        migrations.CreateModel(
            name='Pause',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('right', models.PositiveIntegerField(default=0)),
                ('answered', models.PositiveIntegerField(default=0)),
                ('paused_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('lifted_at', models.DateTimeField(null=True)),
                ('by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('lifted_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='pauses', to='projects.project')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'constraints': [models.UniqueConstraint(condition=models.Q(('lifted_at', None)), fields=('project', 'user'), name='pause_one_open_per_person')],
            },
        ),
        migrations.CreateModel(
            name='Review',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('verdict', models.CharField(choices=[('approved', 'approved'), ('fixed', 'fixed'), ('rejected', 'sent back to its author')], max_length=8)),
                ('reason', models.TextField(blank=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('answered_at', models.DateTimeField(null=True)),
                ('annotation', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='review', to='annotation.annotation')),
                ('annotator', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='reviews', to='projects.project')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('answered_at', None), ('verdict', 'rejected')), fields=['project', 'annotator'], name='review_sent_back')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('verdict', 'rejected'), _negated=True), models.Q(('reason', ''), _negated=True), _connector='OR'), name='review_rejects_with_a_reason')],
            },
        ),
    ]
